/** The machine that the server runs on, as somebody at its console has it: a cell's volume and containers, and the time of sessions. */
import { execFile, execFileSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import type { Person } from "./person";
import { place } from "./place";
import type { Watched } from "./watched";

const { dataDir } = place;

function run(program: string, ...words: string[]): string {
  return execFileSync(program, words, { encoding: "utf8" }).trim();
}

async function cellOf({ page }: Person): Promise<string> {
  const me = (await (await page.request.get("/api/v1/me")).json()) as { cell: { id: string } };
  return me.cell.id;
}

async function volume(person: Person): Promise<string> {
  const name = run("docker", "volume", "ls", "--quiet", "--filter", `name=${await cellOf(person)}-vault`);
  return run("docker", "volume", "inspect", "--format", "{{.Mountpoint}}", name);
}

/** Copies somebody's vault as it is now; gives what puts the copy back in its place, for when their cell sleeps. */
export async function copyOfVault(person: Person): Promise<() => void> {
  const file = join(await volume(person), "vault");
  const copy = readFileSync(file);
  return () => writeFileSync(file, copy);
}

/** Somebody's vault is gone, as after a disk that was lost without a backup. For when their cell sleeps. */
export async function loseVault(person: Person): Promise<void> {
  const folder = await volume(person);
  for (const each of readdirSync(folder)) rmSync(join(folder, each), { recursive: true });
}

/** A program in the agent's container asks its keeper so often for this; gives the status of the last answer. */
export async function agentAsks(person: Person, path: string, times: number): Promise<number> {
  const container = run("docker", "ps", "--format", "{{.Names}}", "--filter", `name=${await cellOf(person)}-agent`);
  const program = `(async () => {
    let last;
    for (let i = 0; i < ${times}; i++) {
      last = await fetch("http://127.0.0.1:18790${path}");
      await last.arrayBuffer();
    }
    console.log(last.status);
  })()`;
  return Number(run("docker", "exec", container, "node", "-e", program));
}

const KILL_AGAIN_MS = 200;

/** No OpenClaw of this person lives longer than a moment, as on a machine without memory: its container ends with it. Gives what ends that. */
export async function noMemoryFor(person: Person): Promise<() => Promise<void>> {
  const docker = (...words: string[]) => promisify(execFile)("docker", words);
  const container = run("docker", "ps", "--all", "--format", "{{.Names}}", "--filter", `name=${await cellOf(person)}-agent`);
  let over = false;
  const killing = (async () => {
    while (!over) {
      // A container that is just being replaced has no processes to show.
      const { stdout } = await docker("top", container, "-eo", "pid,args").catch(() => ({ stdout: "" }));
      if (stdout.includes("openclaw")) await docker("kill", container).catch(() => undefined);
      await pause(KILL_AGAIN_MS);
    }
  })();
  return async () => {
    over = true;
    await killing;
  };
}

/** The server's disk has no room for what this person's cell seals from now on. Gives what makes room again. */
export async function fullDiskFor({ page }: Person): Promise<() => void> {
  const { tenant, cell } = (await (await page.request.get("/api/v1/me")).json()) as { tenant: { id: string }; cell: { id: string } };
  const folder = join(dataDir, "blobs", "tenants", tenant.id, "cells", cell.id);
  run("mount", "-t", "tmpfs", "-o", "size=4k", "holdfast-full-disk", folder);
  // Lazily: the server may be at it.
  return () => void run("umount", "--lazy", folder);
}

function socketFolder(folder: string): string | undefined {
  const entries = readdirSync(folder, { withFileTypes: true });
  if (entries.some((entry) => entry.name.startsWith(".s.PGSQL.") && entry.isSocket())) return folder;
  for (const entry of entries) {
    const found = entry.isDirectory() ? socketFolder(join(folder, entry.name)) : undefined;
    if (found) return found;
  }
  return undefined;
}

function inDatabase(sql: string): void {
  const host = socketFolder(join(dataDir, "postgres"));
  if (!host) throw new Error("PostgreSQL has no socket in the data directory");
  run("psql", "-qX", "-v", "ON_ERROR_STOP=1", "-h", host, "-U", "holdfast", "-d", "holdfast", "-c", sql);
}

/** Somebody's sessions are as old as after a quarter of an hour: too old for a dangerous act, and as whole as before. */
export function aQuarterOfAnHourLater({ email }: Person): void {
  inDatabase(`UPDATE sessions s SET created_at = s.created_at - interval '15 minutes', proved_at = s.proved_at - interval '15 minutes'
    FROM users u WHERE u.id = s.user_id AND u.email = '${email}'`);
}

/** The session of this browser was not used for longer than one lasts without use. */
export async function unusedForTooLong({ page }: Watched): Promise<void> {
  const { sessions } = (await (await page.request.get("/api/v1/sessions")).json()) as { sessions: { id: string; current: boolean }[] };
  const own = sessions.find(({ current }) => current);
  if (!own) throw new Error("this browser has no session");
  inDatabase(`UPDATE sessions SET last_seen_at = last_seen_at - interval '31 minutes' WHERE id = '${own.id}'`);
}
