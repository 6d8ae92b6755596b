// Says what @ethereumjs/mpt reads from a proof: one JSON question per line of standard input, one answer per line.
import { createInterface } from 'node:readline';
import { verifyMerkleProof } from '@ethereumjs/mpt';
import { bytesToHex, hexToBytes } from '@ethereumjs/util';

for await (const line of createInterface({ input: process.stdin })) {
  const { root, key, proof } = JSON.parse(line);
  try {
    const value = await verifyMerkleProof(hexToBytes(key), proof.map(hexToBytes), { root: hexToBytes(root) });
    console.log(JSON.stringify({ value: value === null ? null : bytesToHex(value) }));
  } catch (error) {
    console.log(JSON.stringify({ refused: String(error?.message ?? error).slice(0, 80) }));
  }
}
