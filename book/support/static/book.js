// What a reference points to (equation, figure, theorem, paper), shown while the pointer or the focus is on it.
// Escape closes it, the pointer may move onto it, and it does nothing on touch, where a tap follows the reference.
window.targets = {};
(() => {
  const root = new URL(document.documentElement.dataset.content_root, location.href);
  const box = document.createElement("div");
  Object.assign(box, { id: "preview", hidden: true });
  box.setAttribute("role", "tooltip");
  document.body.append(box);
  let current, timer;

  function load(page) { // a script, since a page opened as a file may not fetch
    if (page in targets) return targets[page];
    return new Promise((done) => {
      const script = document.createElement("script");
      script.src = new URL(`_static/targets/${page}.js`, root);
      script.onload = script.onerror = () => done(targets[page] ?? {});
      document.head.append(script);
    });
  }

  async function show(link) {
    if (link === current) return;
    hide();
    current = link;
    const url = new URL(link.href);
    const found = await load(decodeURI(url.pathname).slice(decodeURI(root.pathname).length).replace(/\.html$/, ""));
    const html = found[decodeURIComponent(url.hash.slice(1))];
    if (!html || link !== current) return;
    box.innerHTML = html;
    box.querySelectorAll(".headerlink, .backrefs, .checked").forEach((e) => e.remove());
    box.querySelectorAll("a, [id]").forEach((e) => ["href", "id"].forEach((name) => e.removeAttribute(name)));
    box.hidden = false;
    const at = link.getBoundingClientRect();
    const below = at.bottom + box.offsetHeight + 8 < innerHeight || at.top < box.offsetHeight + 8;
    box.style.top = `${scrollY + (below ? at.bottom : at.top - box.offsetHeight)}px`;
    box.style.left = `${Math.max(8, Math.min(at.left, document.documentElement.clientWidth - box.offsetWidth - 8))}px`;
    link.setAttribute("aria-describedby", "preview");
  }

  function hide() {
    clearTimeout(timer);
    box.hidden = true;
    current?.removeAttribute("aria-describedby");
    current = null;
  }

  const later = (action, wait) => { clearTimeout(timer); timer = setTimeout(action, wait); };
  document.querySelectorAll("article a.reference.internal[href*='#']").forEach((link) => {
    link.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && later(() => show(link), 150));
    link.addEventListener("pointerleave", () => later(hide, 250));
    link.addEventListener("focus", () => link.matches(":focus-visible") && show(link));
    link.addEventListener("blur", hide);
  });
  box.addEventListener("pointerenter", () => clearTimeout(timer));
  box.addEventListener("pointerleave", () => later(hide, 250));
  document.addEventListener("keydown", (event) => event.key === "Escape" && hide());

  // The arrow keys turn the page, unless what has the focus (a slider, a figure, wide code) uses them itself.
  document.body.addEventListener("keydown", (event) => {
    if (event.key.startsWith("Arrow") && !event.target.matches("body, a")) event.stopPropagation();
  });

  // From a file the letters may come too late to be used at once (lean.py), and there it does no harm when they do.
  if (location.protocol === "file:") {
    for (const [name, about] of [["400-normal", {}], ["400-italic", { style: "italic" }], ["600-normal", { weight: "600" }]]) {
      const address = new URL(`_static/fonts/source-serif-4-latin-${name}.woff2`, root);
      new FontFace("Source Serif 4", `url("${address}")`, about).load().then((face) => document.fonts.add(face), () => {});
    }
  }

  // Folds: a link into one opens it, one button opens them all, and what is not source code is printed.
  const folds = [...document.querySelectorAll("article details")];
  function reveal() {
    const place = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!place || !place.closest("details")) return;
    for (let fold = place.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    place.scrollIntoView();
  }
  addEventListener("hashchange", reveal);
  reveal();
  document.querySelector(".unfold")?.addEventListener("click", ({ target: button }) => {
    const open = button.getAttribute("aria-expanded") === "false";
    folds.forEach((fold) => { fold.open = open; });
    button.textContent = open ? "Fold all" : "Unfold all";
    button.setAttribute("aria-expanded", open);
  });
  addEventListener("beforeprint", () => folds.forEach((fold) => { fold.open ||= !fold.closest(".tag_hide-input"); }));

  // Wide code, outputs and tables can be scrolled with the keys. Finding them lays out the page: a little whenever there is time.
  const boxes = [...document.querySelectorAll("article :is(pre, .pst-scrollable-table-container)")];
  const whenIdle = window.requestIdleCallback ?? ((work) => setTimeout(work, 50, { timeRemaining: () => 5 })); // Safari
  let next = boxes.length;
  function mark(idle) {
    do {
      const element = boxes[next++];
      element.tabIndex = element.scrollWidth > element.clientWidth || element.scrollHeight > element.clientHeight ? 0 : -1;
    } while (next < boxes.length && idle.timeRemaining() > 5);
    if (next < boxes.length) whenIdle(mark);
  }
  const markAll = () => { const waiting = next < boxes.length; next = 0; if (boxes.length && !waiting) whenIdle(mark); };
  addEventListener("resize", markAll);
  addEventListener("load", markAll);

  // On a narrow screen a figure's letters are small: a tap enlarges it inside a box that scrolls, another makes it fit again.
  document.querySelectorAll(".bd-content figure img").forEach((image) => image.addEventListener("click", () => {
    if (innerWidth < 576) image.closest("figure").classList.toggle("large");
  }));

  // The list of all checks, narrowed to those that have all these words; ?q=… begins with them.
  const checks = [...document.querySelectorAll("table.checks tbody tr")];
  if (checks.length) {
    const make = (tag, properties) => Object.assign(document.createElement(tag), properties);
    const input = make("input", { type: "search", id: "filter", value: new URLSearchParams(location.search).get("q") ?? "" });
    const count = make("output", { htmlFor: "filter" });
    const line = make("p", { className: "filter" });
    line.append(make("label", { htmlFor: "filter", textContent: "Only checks with the words" }), input, count);
    document.querySelector(".jumps").after(line);
    let texts;
    const narrow = () => {
      texts ??= checks.map((row) => row.textContent.toLowerCase());
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      checks.forEach((row, k) => { row.hidden = !words.every((word) => texts[k].includes(word)); });
      document.querySelectorAll("section:has(> .pst-scrollable-table-container .checks)").forEach((section) => {
        section.hidden = !section.querySelector("tbody tr:not([hidden])");
      });
      count.textContent = `${checks.filter((row) => !row.hidden).length} of ${checks.length}`;
    };
    input.addEventListener("input", narrow);
    if (input.value) narrow();
    else count.textContent = checks.length;
  }

  // In the excerpts of search results a formula is read once.
  if (typeof Search !== "undefined") {
    const toText = Search.htmlToText;
    Search.htmlToText = (text, anchor) => {
      const page = new DOMParser().parseFromString(text, "text/html");
      page.querySelectorAll(".katex-html, annotation").forEach((e) => e.remove());
      return toText(page.documentElement.outerHTML, anchor);
    };
  }
})();
