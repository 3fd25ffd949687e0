// Runs before the first paint: the chosen look, and a plain page for browsers that cannot run the rest. ES5 on purpose.
(function () {
  var root = document.documentElement;
  try {
    var theme = localStorage.getItem("holdfast.theme");
    if (theme === "light" || theme === "dark") root.setAttribute("data-theme", theme);
  } catch (e) {
    // Storage may be switched off: the system's look is used.
  }
  var recent =
    "noModule" in document.createElement("script") &&
    typeof WebAssembly === "object" &&
    typeof structuredClone === "function" &&
    window.CSS && CSS.supports("color", "light-dark(#000, #fff)") && CSS.supports("selector(:has(a))");
  if (!recent) {
    document.addEventListener("DOMContentLoaded", function () {
      document.getElementById("too-old").hidden = false;
    });
    root.className += " too-old";
  }
})();
