/** What this device would be called by its owner, as a suggestion. */
const DEVICES: [RegExp, string][] = [[/iphone/i, "iPhone"], [/ipad/i, "iPad"], [/android/i, "Android phone"], [/mac os/i, "Mac"], [/windows/i, "Windows computer"], [/linux/i, "Linux computer"]];

export function thisDevice(): string {
  return DEVICES.find(([sign]) => sign.test(navigator.userAgent))?.[1] ?? "This device";
}
