/** Every icon in use, by its Lucide name; the sprite holds these and no others. */
export const icons = [
  "arrow-down", "arrow-up", "arrow-left", "box", "building-2", "check", "chevron-down", "chevron-right", "circle-alert", "circle-check", "circle-x", "clipboard-copy",
  "clock", "copy", "download", "ellipsis", "eye", "eye-off", "file-text", "gauge", "globe", "heart-pulse", "image", "inbox", "info", "key-round", "loader-circle", "lock", "lock-open", "log-out", "mail",
  "menu", "message-circle", "message-square-plus", "monitor", "moon", "panel-left", "pause", "pencil", "play", "plug-zap", "printer", "qr-code", "refresh-cw", "rotate-ccw", "scroll-text", "search", "send",
  "server-off", "settings", "share-2", "shield-check", "sparkles", "square", "square-pen", "sun", "terminal", "trash-2", "triangle-alert", "user-plus", "user-round", "users-round",
  "wifi-off", "wrap-text", "wrench", "x",
] as const;

export type IconName = (typeof icons)[number];
