/** The line between a tab and its keeper: what goes wrong on it, on purpose. */
import type { Page, WebSocketRoute } from "@playwright/test";

/** Said by Chromium itself of a connection that is cut or refused here. */
export const CUT = /WebSocket connection to '[^']*\/api\/v1\/channel' failed/;

export interface Line {
  /** What the server says is kept back until this is undone. */
  mute(muted: boolean): void;
  refuse(refuses: boolean): void;
  cut(): Promise<void>;
}

/** From the next page that the tab loads on. */
export async function wired(tab: Page): Promise<Line> {
  let refuses = false;
  let muted = false;
  const open = new Set<{ near: WebSocketRoute; far: WebSocketRoute; kept: (string | Buffer)[] }>();
  await tab.routeWebSocket(/\/api\/v1\/channel$/, (near) => {
    if (refuses) {
      void near.close({ code: 1011 });
      return;
    }
    const far = near.connectToServer();
    const kept: (string | Buffer)[] = [];
    far.onMessage((message) => {
      if (muted) kept.push(message);
      else near.send(message);
    });
    near.onMessage((message) => far.send(message));
    open.add({ near, far, kept });
  });
  return {
    mute: (now) => {
      muted = now;
      if (!muted) for (const { near, kept } of open) for (const message of kept.splice(0)) near.send(message);
    },
    refuse: (now) => (refuses = now),
    cut: async () => {
      for (const { near, far } of open) await Promise.all([near.close({ code: 1011 }), far.close()]);
      open.clear();
    },
  };
}
