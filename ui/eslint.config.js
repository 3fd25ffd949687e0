import lit from "eslint-plugin-lit";
import tseslint from "typescript-eslint";

const noHtmlStrings = [
  { selector: "ImportSpecifier[imported.name=/^unsafe(HTML|SVG|MathML|CSS|Static)$/]", message: "No HTML from strings: build Lit templates." },
  { selector: "ImportDeclaration[source.value=/unsafe-(html|svg|mathml)|style-map/]", message: "No HTML from strings, no style attributes (CSP): use templates, classes, el.style.setProperty." },
  { selector: "AssignmentExpression[left.property.name=/^(innerHTML|outerHTML|srcdoc)$/]", message: "No HTML from strings: build Lit templates." },
  { selector: "CallExpression[callee.property.name=/^(insertAdjacentHTML|setHTMLUnsafe|createContextualFragment|parseFromString)$/]", message: "No HTML from strings." },
  { selector: "CallExpression[callee.object.name='document'][callee.property.name=/^write(ln)?$/]", message: "No HTML from strings." },
  { selector: "CallExpression[callee.property.name='setAttribute'][arguments.0.value='style']", message: "The CSP blocks style attributes: use classes or el.style.setProperty." },
  { selector: "CallExpression[callee.property.name='scrollIntoView']", message: "On phones it moves the whole page: use container.scrollTo." },
  { selector: "TemplateElement[value.raw=/\\sstyle\\s*=/]", message: "The CSP blocks style attributes: use classes or el.style.setProperty." },
  { selector: "TemplateElement[value.raw=/[\\s.](innerHTML|srcdoc)\\s*=/]", message: "No HTML from strings." },
  { selector: "MemberExpression[object.name='localStorage']", message: "Only app/appearance.ts may use localStorage, for how a page presents itself, and app/way-back.ts, for a path of our own." },
];

export default tseslint.config(
  { ignores: ["dist", "node_modules", "test-results", "public"] },
  ...tseslint.configs.recommended,
  lit.configs["flat/recommended"],
  {
    rules: {
      "no-restricted-syntax": ["error", ...noHtmlStrings],
      "no-console": "error",
      "no-eval": "error",
      "no-new-func": "error",
      eqeqeq: "error",
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
      "lit/no-template-bind": "off",
      "lit/no-native-attributes": "off",
    },
  },
  { files: ["src/app/appearance.ts", "src/app/way-back.ts"], rules: { "no-restricted-syntax": ["error", ...noHtmlStrings.filter((rule) => !rule.selector.includes("localStorage"))] } },
  { files: ["e2e/**"], rules: { "no-restricted-syntax": "off", "no-console": "off" } },
);
