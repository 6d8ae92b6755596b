// Verifies the proofs of a file with @ethereumjs/mpt, once per line of standard input, and says how long it took.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { verifyMerkleProof } from '@ethereumjs/mpt';
import { hexToBytes } from '@ethereumjs/util';

const given = JSON.parse(readFileSync(process.argv[2]));
const root = hexToBytes(given.root);
const keys = given.keys.map(hexToBytes);
const proofs = given.proofs.map((proof) => proof.map(hexToBytes));

for await (const _ of createInterface({ input: process.stdin })) {
  const cpu = process.cpuUsage();
  const wall = performance.now();
  const values = [];
  for (let at = 0; at < keys.length; at++) values.push(await verifyMerkleProof(keys[at], proofs[at], { root }));
  const wallMs = performance.now() - wall;
  const used = process.cpuUsage(cpu);
  const digest = createHash('sha256');
  for (const value of values) {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(value.length);
    digest.update(length).update(value);
  }
  console.log(JSON.stringify({ cpu_s: (used.user + used.system) / 1e6, wall_s: wallMs / 1e3, result: digest.digest('hex') }));
}
