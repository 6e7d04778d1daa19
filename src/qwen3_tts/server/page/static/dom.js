// The few things every part of the page needs: elements by id, icons, words for numbers, kept choices.

export const $ = (id) => document.getElementById(id);

export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  svg.setAttribute("aria-hidden", "true");
  return svg;
}

export function setIcon(button, name, label) {
  const use = button.querySelector("use");
  if (use.getAttribute("href") !== `#i-${name}`) use.setAttribute("href", `#i-${name}`);
  if (button.getAttribute("aria-label") === label) return;
  button.setAttribute("aria-label", label);
  button.title = label;
}

export function clock(seconds) {
  const tenths = Math.floor(seconds * 10 + 1e-6);
  const minutes = Math.floor(tenths / 600);
  return `${minutes}:${String(Math.floor(tenths / 10) % 60).padStart(2, "0")}.${tenths % 10}`;
}

export function announce(text) {
  $("announce").textContent = text;
}

// An error line: the server's code for whoever looks into it, if any, and the message as a sentence.
export function showError(node, code, message) {
  node.replaceChildren();
  node.hidden = !message;
  if (!message) return;
  const text = message.charAt(0).toUpperCase() + message.slice(1);
  node.append(...(code ? [make("code", {}, code)] : []), /[.!?…]$/.test(text) ? text : `${text}.`);
}

// Storage may be blocked or full; the page then simply forgets.
function storage(area) {
  const at = (name) => `qwen3-tts.${name}`;
  return {
    get(name) {
      try {
        return window[area].getItem(at(name));
      } catch {
        return null;
      }
    },
    set(name, value) {
      try {
        if (value === null || value === "") window[area].removeItem(at(name));
        else window[area].setItem(at(name), value);
      } catch {
        // nothing to do
      }
    },
  };
}
export const lasting = storage("localStorage");
export const visit = storage("sessionStorage");
