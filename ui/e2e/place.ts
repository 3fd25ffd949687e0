/** The Holdfast that this worker's tests drive: each worker has one of its own, with its own owner and scripted model. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

interface Place {
  url: string;
  dataDir: string;
  /** Where its operator allowed a site to sign in with, or a receiver of alerts or of push messages. */
  providerPort: number;
}

/** Of this worker, from 0. */
export const workerNumber = Number(process.env.TEST_PARALLEL_INDEX ?? 0);

/** From the environment: HOLDFAST_PLACES, one for each worker. */
export const places = JSON.parse(process.env.HOLDFAST_PLACES ?? "[]") as Place[];

const none: Place = { url: "http://localhost:8080", dataDir: "/var/lib/holdfast", providerPort: 0 };

export const place: Place = places[workerNumber] ?? none;

/** What a file of its data directory says; nothing where there is none. */
export function told(name: string): string {
  const file = join(place.dataDir, name);
  return existsSync(file) ? readFileSync(file, "utf8").trim() : "";
}
