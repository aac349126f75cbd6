
// ---- The report: passages are drawn once they are near the window, and commands can be copied.

async function showPassage(element) {
  try {
    const tiles = await PageTiles.fromBase64(document.getElementById(element.dataset.view).textContent);
    new TextView(element, tiles, { headingLevel: 4, embedded: true, size: 13 });
    element.querySelector(".side").setAttribute("role", "group"); // a page has one region of this name
  } catch (error) {
    element.textContent = `This passage cannot be shown: ${error.message}`;
  }
}

const passages = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      passages.unobserve(target);
      showPassage(target);
    }
  },
  { rootMargin: "800px" },
);
for (const element of document.querySelectorAll(".view")) passages.observe(element);
// Paper has all passages. Browsers wait for nothing here, so that they are made as soon as the page is at rest, too; Safari cannot tell when that is.
const all = () => document.querySelectorAll(".view:not(:has(.char-probe-view))").forEach((element) => (passages.unobserve(element), showPassage(element)));
addEventListener("beforeprint", all);
addEventListener("load", () => setTimeout(() => (globalThis.requestIdleCallback ?? setTimeout)(all), 1500));

// What is wider than its place can be reached by the keyboard.
const reach = () => document.querySelectorAll(".wide, .excerpt, .command code").forEach((one) => (one.scrollWidth > one.clientWidth || one.scrollHeight > one.clientHeight ? (one.tabIndex = 0) : one.removeAttribute("tabindex")));
addEventListener("resize", reach);
reach();

for (const command of document.querySelectorAll(".command")) {
  const button = document.createElement("button");
  button.textContent = "copy";
  button.setAttribute("aria-label", `copy the command ${command.querySelector("code").textContent}`);
  button.addEventListener("click", async () => {
    const text = command.querySelector("code").textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "copied";
    } catch {
      getSelection().selectAllChildren(command.querySelector("code")); // a page from the disk may not write to the clipboard
      button.textContent = "selected";
    }
    setTimeout(() => (button.textContent = "copy"), 2000);
  });
  command.append(button);
}
