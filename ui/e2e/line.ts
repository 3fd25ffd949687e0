/** The line between a tab and its keeper: what goes wrong on it, on purpose. */
import type { Page, WebSocketRoute } from "@playwright/test";

/** Said by Chromium itself of a connection that is cut or refused here. */
export const CUT = /WebSocket connection to '[^']*\/api\/v1\/channel' failed/;

export interface Line {
  /** What the server says is kept back until this is undone. */
  mute(muted: boolean): void;
  /** What the page says is. */
  gag(gagged: boolean): void;
  refuse(refuses: boolean): void;
  cut(): Promise<void>;
}

/** From the next page that the tab loads on. */
export async function wired(tab: Page): Promise<Line> {
  let refuses = false;
  let muted = false;
  let gagged = false;
  const open = new Set<{ near: WebSocketRoute; far: WebSocketRoute; unheard: (string | Buffer)[]; unsaid: (string | Buffer)[] }>();
  await tab.routeWebSocket(/\/api\/v1\/channel$/, (near) => {
    if (refuses) {
      void near.close({ code: 1011 });
      return;
    }
    const far = near.connectToServer();
    const unheard: (string | Buffer)[] = [];
    const unsaid: (string | Buffer)[] = [];
    far.onMessage((message) => {
      if (muted) unheard.push(message);
      else near.send(message);
    });
    near.onMessage((message) => {
      if (gagged) unsaid.push(message);
      else far.send(message);
    });
    open.add({ near, far, unheard, unsaid });
  });
  return {
    mute: (now) => {
      muted = now;
      if (!muted) for (const { near, unheard } of open) for (const message of unheard.splice(0)) near.send(message);
    },
    gag: (now) => {
      gagged = now;
      if (!gagged) for (const { far, unsaid } of open) for (const message of unsaid.splice(0)) far.send(message);
    },
    refuse: (now) => (refuses = now),
    cut: async () => {
      for (const { near, far } of open) await Promise.all([near.close({ code: 1011 }), far.close()]);
      open.clear();
    },
  };
}
