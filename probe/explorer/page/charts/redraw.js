// Lists that are drawn anew, whose reader keeps the focus.

const CONTROLS = "button:not(:disabled), a[href], input, select, textarea, [tabindex]";

/**
 * Replace what an element holds. If the focus was in it, it goes to the same control of the new content (that with the same
 * `data-key`, or the same text), else to the one in its place, else to the panel.
 */
export function redraw(parent, children) {
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  const place = focused ? controlsOf(parent).indexOf(focused) : -1;
  parent.replaceChildren(...children);
  if (place < 0) return;
  const controls = controlsOf(parent);
  const same = controls.find((control) => nameOf(control) === nameOf(focused)) ?? controls[Math.min(place, controls.length - 1)];
  if (same) same.focus({ preventScroll: true });
  else focusPanel(parent);
}

/** Give the focus to the panel that an element is in: what had it goes. */
export function focusPanel(element) {
  element.closest("[role=tabpanel]")?.focus({ preventScroll: true });
}

function controlsOf(parent) {
  return [...parent.querySelectorAll(CONTROLS)];
}

function nameOf(control) {
  return control.dataset.key ?? [control.tagName, control.className, control.getAttribute("aria-label"), control.title, control.textContent].join("\n");
}
