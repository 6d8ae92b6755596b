"""The report's style sheet: one page, on screen and on paper, from the fonts that are there."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root { color-scheme: light; --ink: #1b1f24; --soft: #57606a; --rule: #d0d7de; --good: #1a7f37; --bad: #b3261e;
  --odd: #9a6700; --collateral: #4c8f64; --liability: #b5654d; --initial: #3b5fa0; }
body { margin: 0; background: #fff; color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 2rem 1.5rem; }
header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 1rem; }
h1 { font-size: 1.6rem; margin: 0; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .75rem; padding-bottom: .25rem; border-bottom: 1px solid var(--rule); }
h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
.verdict, .status { padding: .1rem .6rem; border-radius: 1rem; border: 1px solid currentColor; font-weight: 600; }
.verdict { margin: 0; }
.status { font-size: .85rem; white-space: nowrap; }
.verified, .healthy { color: var(--good); }
.failed, .liquidatable, .bad_debt { color: var(--bad); }
.incomplete, .warning, .margin_call, .unknown { color: var(--odd); }
article { margin: 1.5rem 0; padding: 1rem 1.25rem; border: 1px solid var(--rule); border-radius: .5rem; }
article p { margin: .25rem 0 .75rem; color: var(--soft); }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .75rem .3rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--rule);
  overflow-wrap: anywhere; }
th { color: var(--soft); font-weight: 600; }
.number { text-align: right; }
.wrong h2 { color: var(--bad); border-color: var(--bad); }
.wrong li { color: var(--bad); }
.facts { margin-top: 1.25rem; }
.wide { overflow-x: auto; }
.wide th { white-space: nowrap; }
.wide td { overflow-wrap: normal; }
ul { padding-left: 1.2rem; overflow-wrap: anywhere; }
svg { display: block; width: 100%; max-width: 44rem; height: auto; margin: .5rem 0; overflow: visible; }
svg text { font: 12px system-ui, sans-serif; fill: var(--ink); stroke: #fff; stroke-width: 3px; paint-order: stroke; }
svg .end { text-anchor: end; }
svg rect.collateral { fill: var(--collateral); }
svg rect.liability { fill: var(--liability); }
svg .axis { stroke: var(--rule); }
svg line { stroke-width: 1.5; }
svg line.maintenance { stroke: var(--bad); }
svg line.initial { stroke: var(--initial); stroke-dasharray: 5 3; }
@page { margin: 15mm; }
@media print {
  body { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  article, tr { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  .wide { overflow: visible; }
  .wide th { white-space: normal; }
  .wide td { overflow-wrap: anywhere; }
  * { print-color-adjust: exact; }
}
"""
