// Runs beside OpenClaw after a conversation was deleted. OpenClaw keeps an archive of it in its database, and its memory's index what it
// read there; and SQLite leaves the words of deleted rows in free pages, in old segments of an index of words, and in its log, until
// something else is written there. Here all of that goes. Says "done", or what could not be done.
import { globSync, lstatSync, readdirSync } from "node:fs";
import { basename, dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";

/** OpenClaw waits as long for others that write. */
const PATIENCE_MS = 20_000;
/** SQLITE_NOTADB: what the agent calls a database is its own affair. */
const NO_DATABASE = 26;
const state = process.env.OPENCLAW_STATE_DIR;

/** A new index that OpenClaw is building beside the old one may have read what is gone by now. */
async function noIndexIsBuilt(file) {
  const isBuilt = () => readdirSync(dirname(file)).some((name) => name.startsWith(`${basename(file)}.memory-reindex-`));
  for (const started = Date.now(); isBuilt(); await sleep(250)) {
    if (Date.now() - started > PATIENCE_MS) throw new Error(`${file}: its index is being built anew`);
  }
}

function scrub(file) {
  const database = new DatabaseSync(file, { timeout: PATIENCE_MS });
  const tables = database.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'table'").all();
  const has = (wanted) => tables.some(({ name }) => name === wanted);
  database.exec("BEGIN IMMEDIATE");
  if (has("session_transcript_archives")) database.exec("DELETE FROM session_transcript_archives");
  if (has("memory_index_chunks") && has("transcript_events")) {
    const gone = `source = 'sessions' AND NOT EXISTS (SELECT 1 FROM transcript_events WHERE path LIKE '%/' || session_id || '.jsonl')`;
    const chunks = `SELECT id FROM memory_index_chunks WHERE ${gone}`;
    if (has("memory_index_chunks_fts")) database.exec(`DELETE FROM memory_index_chunks_fts WHERE id IN (${chunks})`);
    for (const table of ["memory_index_chunks", "memory_index_sources"]) database.exec(`DELETE FROM ${table} WHERE ${gone}`);
  }
  for (const { name, sql } of tables) {
    if (/^CREATE VIRTUAL TABLE.*USING fts5/is.test(sql ?? "")) database.exec(`INSERT INTO "${name}" ("${name}") VALUES ('optimize')`);
  }
  database.exec("COMMIT; PRAGMA temp_store = MEMORY; VACUUM");
  if (database.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get().busy) throw new Error(`${file} is read meanwhile`);
  database.close();
}

// Others beside them, with more in their names, are OpenClaw's locks.
const files = globSync("{state,memory,agents/*/agent}/*.sqlite", { cwd: state }).filter((file) => /\/[^./]+\.sqlite$/.test(file));
const left = [];
for (const file of files.map((file) => `${state}/${file}`)) {
  if (!lstatSync(file, { throwIfNoEntry: false })?.isFile()) continue;
  try {
    await noIndexIsBuilt(file);
    scrub(file);
  } catch (error) {
    if (error.errcode !== NO_DATABASE) left.push(String(error));
  }
}
process.stdout.write(left.length === 0 ? "done" : left.join("; "));
