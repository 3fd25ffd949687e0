/** A ZIP archive that holds one file, as other programs export. */
import { crc32, deflateRawSync } from "node:zlib";

const DEFLATED = 8;
const VERSION = 20;

export function zip(name: string, content: string): Buffer<ArrayBuffer> {
  const whole = Buffer.from(content);
  const data = deflateRawSync(whole);
  const [crc, path] = [crc32(whole), Buffer.from(name)];
  const local = Buffer.alloc(30);
  local.writeUInt32LE(0x04034b50, 0);
  local.writeUInt16LE(VERSION, 4);
  local.writeUInt16LE(DEFLATED, 8);
  const central = Buffer.alloc(46);
  central.writeUInt32LE(0x02014b50, 0);
  central.writeUInt16LE(VERSION, 6);
  central.writeUInt16LE(DEFLATED, 10);
  for (const [header, at] of [[local, 14], [central, 16]] as const) {
    header.writeUInt32LE(crc, at);
    header.writeUInt32LE(data.length, at + 4);
    header.writeUInt32LE(whole.length, at + 8);
    header.writeUInt16LE(path.length, at + 12);
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(1, 8);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(central.length + path.length, 12);
  end.writeUInt32LE(local.length + path.length + data.length, 16);
  return Buffer.concat([local, path, data, central, path, end]);
}
