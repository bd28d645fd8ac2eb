// What every page does; without it every form still works.
import { send, tell } from "./api.js";

// A form that cannot be taken back asks first.
for (const form of document.querySelectorAll("form[data-confirm]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const dialog = document.getElementById("confirm").content.querySelector("dialog").cloneNode(true);
    dialog.querySelector("p").textContent = form.dataset.confirm;
    document.body.append(dialog);
    dialog.addEventListener("close", () => {
      if (dialog.returnValue === "yes") form.submit();
      dialog.remove();
    });
    dialog.showModal();
  });
}

// The menu closes as menus do.
const menu = document.querySelector("details.menu");
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !menu?.open) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});
document.addEventListener("click", (event) => {
  if (menu?.open && !menu.contains(event.target)) menu.open = false;
});

// Light and dark change at once: nobody in a dark room waits for a white page.
const appearance = document.querySelector("form[data-appearance]");
appearance?.elements.mode.addEventListener("change", async () => {
  const mode = appearance.elements.mode.value;
  document.documentElement.dataset.mode = mode;
  try {
    await send("PUT", "/api/v1/me/appearance", { language: document.documentElement.lang.slice(0, 2), mode });
  } catch (problem) {
    tell(problem);
  }
});

for (const button of document.querySelectorAll("button[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener("click", () => navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent));
}
