/**
 * A site to sign in with, as they are on the web: OpenID Connect with discovery, published keys and signed tokens, on this machine. Under
 * `/github` a site of GitHub's kind, which has no signed tokens and is asked who somebody is.
 */
import { createHash, generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { place } from "./place";

export const CLIENT = { id: "holdfast", secret: "a-secret-of-the-browser-tests" };

export interface Somebody {
  sub: string;
  email: string;
  name: string;
}

export interface Site {
  issuer: string;
  /** Who is signed in there. */
  somebody: Somebody;
  stop(): Promise<void>;
}

interface Grant {
  nonce: string;
  challenge: string;
  wayBack: string;
  somebody: Somebody;
}

const b64 = (text: string | Buffer): string => Buffer.from(text).toString("base64url");

async function body(request: IncomingMessage): Promise<URLSearchParams> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  return new URLSearchParams(text);
}

function json(response: ServerResponse, status: number, answer: object): void {
  response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(answer));
}

/** Starts it where the server's operator allowed one (`providerPort`). */
export async function startSite(somebody: Somebody): Promise<Site> {
  const port = place.providerPort;
  if (!port) throw new Error("HOLDFAST_PLACES must name the port that the server may call");
  const issuer = `http://127.0.0.1:${port}`;
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const grants = new Map<string, Grant>();
  /** Of GitHub's kind: whose an access token is. */
  const tokens = new Map<string, Somebody>();

  const idToken = (grant: Grant): string => {
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: issuer, aud: CLIENT.id, iat: now, exp: now + 300, nonce: grant.nonce, email_verified: true, ...grant.somebody };
    const text = `${b64(JSON.stringify({ alg: "ES256", kid: "1" }))}.${b64(JSON.stringify(claims))}`;
    return `${text}.${b64(sign("sha256", Buffer.from(text), { key: privateKey, dsaEncoding: "ieee-p1363" }))}`;
  };

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? "/", issuer);
    switch (url.pathname) {
      case "/.well-known/openid-configuration":
        return json(response, 200, { issuer, authorization_endpoint: `${issuer}/authorize`, token_endpoint: `${issuer}/token`, jwks_uri: `${issuer}/keys` });
      case "/keys":
        return json(response, 200, { keys: [{ ...publicKey.export({ format: "jwk" }), kid: "1", use: "sig" }] });
      case "/github/login/oauth/authorize":
      case "/authorize": {
        const asked = url.searchParams;
        const code = randomUUID();
        const wayBack = asked.get("redirect_uri") ?? "";
        grants.set(code, { nonce: asked.get("nonce") ?? "", challenge: asked.get("code_challenge") ?? "", wayBack, somebody: site.somebody });
        const back = new URL(wayBack);
        back.searchParams.set("code", code);
        back.searchParams.set("state", asked.get("state") ?? "");
        const escaped = back.href.replaceAll("&", "&amp;").replaceAll('"', "&quot;");
        response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" }).end(`<!doctype html><html lang="en"><title>Site</title><link rel="icon" href="data:,"><a href="${escaped}">Continue as ${site.somebody.name}</a></html>`);
        return;
      }
      case "/github/api/v3/user":
      case "/github/api/v3/user/emails": {
        const somebody = tokens.get((request.headers.authorization ?? "").replace(/^Bearer /, ""));
        if (!somebody) return json(response, 401, {});
        const { sub, name, email } = somebody;
        if (url.pathname === "/github/api/v3/user") return json(response, 200, { id: Number(sub), login: `user-${sub}`, name });
        return json(response, 200, [{ email, primary: true, verified: true }]);
      }
      case "/github/login/oauth/access_token": {
        const sent = await body(request);
        const grant = grants.get(sent.get("code") ?? "");
        grants.delete(sent.get("code") ?? "");
        // GitHub says 200, whatever it answers.
        if (sent.get("client_id") !== CLIENT.id || sent.get("client_secret") !== CLIENT.secret) return json(response, 200, { error: "incorrect_client_credentials" });
        if (!grant || grant.wayBack !== sent.get("redirect_uri")) return json(response, 200, { error: "bad_verification_code" });
        const token = randomUUID();
        tokens.set(token, grant.somebody);
        return json(response, 200, { access_token: token, token_type: "bearer", scope: "read:user,user:email" });
      }
      case "/token": {
        const sent = await body(request);
        const grant = grants.get(sent.get("code") ?? "");
        grants.delete(sent.get("code") ?? "");
        const basic = Buffer.from((request.headers.authorization ?? "").replace(/^Basic /, ""), "base64").toString();
        if (basic !== `${CLIENT.id}:${CLIENT.secret}`) return json(response, 401, { error: "invalid_client" });
        const challenge = createHash("sha256").update(sent.get("code_verifier") ?? "").digest("base64url");
        if (!grant || grant.challenge !== challenge || grant.wayBack !== sent.get("redirect_uri")) return json(response, 400, { error: "invalid_grant" });
        return json(response, 200, { access_token: randomUUID(), token_type: "Bearer", id_token: idToken(grant) });
      }
      default:
        return json(response, 404, {});
    }
  };

  const server: Server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => json(response, 500, { error: String(error) }));
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const site: Site = {
    issuer,
    somebody,
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
  return site;
}
