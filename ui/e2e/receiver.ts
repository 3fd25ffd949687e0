/** A program that is told: a real HTTP server on this machine that keeps what comes, and answers as it is bidden. */
import { createHmac } from "node:crypto";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { place } from "./place";

export interface Came {
  headers: IncomingHttpHeaders;
  body: string;
}

export interface Receiver {
  url: string;
  /** The status of its answers. */
  status: number;
  came: Came[];
  stop(): Promise<void>;
}

/** Starts it where the server's operator allowed one (`providerPort`). */
export async function startReceiver(): Promise<Receiver> {
  const port = place.providerPort;
  if (!port) throw new Error("HOLDFAST_PLACES must name the port that the server may call");
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => (body += chunk.toString()));
    request.on("end", () => {
      receiver.came.push({ headers: request.headers, body });
      response.writeHead(receiver.status).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const receiver: Receiver = {
    url: `http://127.0.0.1:${port}/hook`,
    status: 200,
    came: [],
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return receiver;
}

/** Whether it was signed with this secret (Standard Webhooks). */
export function isSigned({ headers, body }: Came, secret: string): boolean {
  const key = Buffer.from(secret.replace(/^whsec_/, ""), "base64");
  const text = `${String(headers["webhook-id"])}.${String(headers["webhook-timestamp"])}.${body}`;
  return headers["webhook-signature"] === `v1,${createHmac("sha256", key).update(text).digest("base64")}`;
}
