// Dragging a chromosome with a mouse, a pen or a finger. A finger has to rest a moment first: else it scrolls the page.

const FAR = 5;
const REST = 280;
const EDGE = 70;

// `hooks`: ghost(index) makes what follows the pointer, chosen(index) hears a press, dropped(index, place) the end.
export function makeDraggable(root, hooks) {
  let drag = null;

  root.addEventListener("pointerdown", (event) => {
    const element = event.target.closest(".chromosome");
    if (!element || drag || !event.isPrimary || event.button !== 0) return;
    const index = Number(element.dataset.index);
    hooks.chosen(index);
    drag = { element, index, id: event.pointerId, x: event.clientX, y: event.clientY, ghost: null };
    if (event.pointerType === "touch") {
      drag.ready = false;
      drag.timer = setTimeout(() => { drag.ready = true; lift(); }, REST);
    } else {
      event.preventDefault();
      drag.ready = true;
    }
  });

  addEventListener("pointermove", (event) => {
    if (event.pointerId !== drag?.id) return undefined;
    // Let go outside the window, where nobody heard it.
    if (event.buttons === 0) return end();
    const far = Math.hypot(event.clientX - drag.x, event.clientY - drag.y) > FAR;
    if (!drag.ready && far) return end();
    Object.assign(drag, far || drag.ghost ? { x: event.clientX, y: event.clientY } : {});
    if (far && drag.ready && !drag.ghost) lift();
    if (drag.ghost) follow();
    return undefined;
  });

  addEventListener("pointerup", (event) => {
    if (event.pointerId !== drag?.id) return;
    const { ghost, index, over } = drag;
    end();
    if (ghost && over) hooks.dropped(index, over);
  });
  addEventListener("pointercancel", (event) => { if (event.pointerId === drag?.id) end(); });
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !drag?.ghost) return;
    event.preventDefault();
    end();
  }, true);
  // Once it is lifted, the finger moves it and not the page.
  root.addEventListener("touchmove", (event) => { if (drag?.ghost) event.preventDefault(); }, { passive: false });
  root.addEventListener("contextmenu", (event) => { if (drag && event.pointerType !== "mouse") event.preventDefault(); });

  function lift() {
    drag.ghost = hooks.ghost(drag.index);
    const size = drag.element.querySelector("img").getBoundingClientRect();
    drag.ghost.style.width = `${size.width}px`;
    drag.ghost.style.height = `${size.height}px`;
    drag.half = { x: size.width / 2, y: size.height / 2 };
    drag.element.classList.add("is-lifted");
    document.body.classList.add("is-dragging");
    document.body.append(drag.ghost);
    follow();
    drag.scroller = setInterval(scroll, 16);
  }

  function follow() {
    const { ghost, x, y, half } = drag;
    ghost.style.left = `${x - half.x}px`;
    ghost.style.top = `${y - half.y}px`;
    const slot = document.elementFromPoint(x, y)?.closest("[data-place]");
    mark(slot);
    drag.over = slot?.dataset.place ?? null;
  }

  function scroll() {
    const step = drag.y < EDGE ? drag.y - EDGE : Math.max(drag.y - innerHeight + EDGE, 0);
    if (!step) return;
    scrollBy(0, step / 5);
    follow();
  }

  function mark(slot) {
    for (const old of root.querySelectorAll(".is-over")) if (old !== slot) old.classList.remove("is-over");
    slot?.classList.add("is-over");
  }

  function end() {
    clearTimeout(drag.timer);
    clearInterval(drag.scroller);
    mark(null);
    drag.ghost?.remove();
    drag.element.classList.remove("is-lifted");
    document.body.classList.remove("is-dragging");
    drag = null;
  }
}
