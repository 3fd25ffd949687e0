/** Takes one file out of a ZIP archive (APPNOTE 6.3, without encryption and ZIP64), within a limit. */
import { IMPORT_BYTES, ImportError } from "./import-types";

const END = 0x06054b50;
const CENTRAL = 0x02014b50;
const LOCAL = 0x04034b50;

export async function unzip(archive: Uint8Array<ArrayBuffer>, wanted: string): Promise<string> {
  const view = new DataView(archive.buffer, archive.byteOffset, archive.byteLength);
  const damaged = new ImportError("The file is damaged, or no archive that can be read here.");
  const fits = (at: number, length: number) => {
    if (at < 0 || at + length > archive.length) throw damaged;
  };
  let end = archive.length - 22;
  while (end >= 0 && end >= archive.length - 22 - 0xffff && view.getUint32(end, true) !== END) end--;
  if (end < 0 || view.getUint32(end, true) !== END) throw damaged;
  const count = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  for (let index = 0; index < count; index++) {
    fits(at, 46);
    if (view.getUint32(at, true) !== CENTRAL) throw damaged;
    const flags = view.getUint16(at + 8, true);
    const method = view.getUint16(at + 10, true);
    const packed = view.getUint32(at + 20, true);
    const nameLength = view.getUint16(at + 28, true);
    fits(at + 46, nameLength);
    const name = new TextDecoder().decode(archive.subarray(at + 46, at + 46 + nameLength));
    const local = view.getUint32(at + 42, true);
    at += 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    if (name !== wanted) continue;
    if (flags & 1) throw new ImportError("The archive is encrypted.");
    fits(local, 30);
    if (view.getUint32(local, true) !== LOCAL) throw damaged;
    const from = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    fits(from, packed);
    const bytes = archive.slice(from, from + packed);
    if (method === 0) return new TextDecoder().decode(bytes);
    if (method !== 8) throw damaged;
    return inflate(bytes, damaged);
  }
  throw new ImportError(`The archive has no ${wanted} in it.`);
}

async function inflate(bytes: Uint8Array<ArrayBuffer>, damaged: ImportError): Promise<string> {
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  const decoder = new TextDecoder();
  let out = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return out + decoder.decode();
      out += decoder.decode(value, { stream: true });
      // A small archive may hold something huge.
      if (out.length > IMPORT_BYTES) throw new ImportError("What is in the archive is larger than 16 MiB.");
    }
  } catch (error) {
    await reader.cancel().catch(() => undefined);
    throw error instanceof ImportError ? error : damaged;
  }
}
