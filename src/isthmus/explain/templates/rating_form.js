"use strict";
(() => {
  const facts = JSON.parse(document.getElementById("facts").textContent);
  const one = (id) => document.getElementById(id);
  const total = facts.cases.length;
  const last = "isthmus-rating-" + facts.form;
  let state = { reader: "", experience: "", at: 0, answers: {} };

  // A browser may refuse to keep anything for a local file; the form then still works, and says so.
  const keep = (key, value) => {
    try { localStorage.setItem(key, JSON.stringify(value)); } catch { one("kept").hidden = false; }
  };
  const kept = (key) => {
    try { return JSON.parse(localStorage.getItem(key)); } catch { return null; }
  };
  const store = () => { keep(last + "-" + state.reader, state); keep(last, state.reader); };
  const rated = () => facts.cases.filter((c) => (state.answers[c.case] || {}).rating).length;
  const show = (id) => { for (const name of ["start", "rating", "end"]) one(name).hidden = name !== id; };
  const boxes = () => [...document.querySelectorAll("[name=criterion]")];

  function draw() {
    const current = facts.cases[state.at];
    const answer = state.answers[current.case] || {};
    one("place").textContent = `Case ${current.case} of ${total}`;
    one("picture").src = current.picture;
    one("heat").src = current.heat;
    one("score").hidden = !current.score;
    one("score").textContent = current.score || "";
    for (const radio of document.querySelectorAll("[name=rating]")) radio.checked = Number(radio.value) === answer.rating;
    for (const box of boxes()) box.checked = (answer.criteria || []).includes(box.value);
    one("comment").value = answer.comment || "";
    one("back").disabled = state.at === 0;
    one("next").textContent = state.at === total - 1 ? "Finish" : "Next →";
    one("say").textContent = "";
    count();
    show("rating");
  }

  function count() {
    one("count").textContent = `${rated()} of ${total} rated`;
    one("bar").value = rated();
  }

  function read() {
    const chosen = document.querySelector("[name=rating]:checked");
    const answer = { criteria: boxes().filter((b) => b.checked).map((b) => b.value), comment: one("comment").value };
    if (chosen) answer.rating = Number(chosen.value);
    if (chosen || answer.criteria.length || answer.comment) state.answers[facts.cases[state.at].case] = answer;
    store();
    count();
  }

  function go(step) {
    read();
    if (step > 0 && !(state.answers[facts.cases[state.at].case] || {}).rating) {
      one("say").textContent = "Please rate this heat map first (1 to 5).";
      return;
    }
    const next = state.at + step;
    if (next < 0) return;
    if (next >= total) { finish(); return; }
    state.at = next;
    store();
    draw();
    one("place").focus({ preventScroll: true });
    scrollTo(0, 0);
  }

  function finish() {
    const open = facts.cases.findIndex((c) => !(state.answers[c.case] || {}).rating);
    if (open >= 0) {
      state.at = open;
      draw();
      one("say").textContent = "This case has no rating yet.";
      return;
    }
    one("end-words").textContent = `Thank you, ${state.reader}: ${total} of ${total} are rated. Now save them as a file.`;
    one("file").textContent = name();
    show("end");
    one("end-title").focus();
  }

  const name = () => `ratings_${state.reader}.csv`;
  const cell = (text) => (/[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

  function save() {
    const lines = ["form,reader_id,experience,case,rating,criteria,comment"];
    for (const c of facts.cases) {
      const answer = state.answers[c.case];
      if (!answer || !answer.rating) continue;
      const comment = (answer.comment || "").replace(/\s+/g, " ").trim();
      lines.push([facts.form, state.reader, state.experience, c.case, answer.rating, answer.criteria.join(" "),
        comment].map((value) => cell(String(value))).join(","));
    }
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }));
    link.download = name();
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  function toggle(box) {
    // "None" stands alone.
    if (!box.checked) return;
    for (const other of boxes()) {
      if (other !== box && (box.value === "none" || other.value === "none")) other.checked = false;
    }
  }

  one("who").addEventListener("submit", (event) => {
    event.preventDefault();
    const reader = one("reader").value, experience = one("experience").value;
    const before = kept(last + "-" + reader);
    state = before && before.answers ? before : { reader, experience, at: 0, answers: {} };
    state.reader = reader;
    state.experience = experience;
    store();
    draw();
    one("place").focus({ preventScroll: true });
  });
  one("reader").addEventListener("change", () => {
    const before = kept(last + "-" + one("reader").value);
    if (before && before.experience) one("experience").value = before.experience;
  });
  for (const box of boxes()) box.addEventListener("change", () => { toggle(box); read(); });
  for (const radio of document.querySelectorAll("[name=rating]")) {
    radio.addEventListener("change", () => { one("say").textContent = ""; read(); });
  }
  one("comment").addEventListener("input", read);
  one("back").addEventListener("click", () => go(-1));
  one("next").addEventListener("click", () => go(1));
  one("save").addEventListener("click", () => { read(); save(); });
  one("save-end").addEventListener("click", save);
  one("again").addEventListener("click", () => { state.at = 0; draw(); });

  document.addEventListener("keydown", (event) => {
    if (one("rating").hidden || event.ctrlKey || event.metaKey || event.altKey) return;
    const place = event.target;
    if (place.id === "comment") {
      if (event.key === "Escape") place.blur();
      return;
    }
    const key = event.key.toLowerCase();
    const radio = document.querySelector(`[name=rating][value="${/^[1-5]$/.test(key) ? key : 0}"]`);
    const criterion = facts.criteria.find((c) => c.key === key);
    if (radio) radio.click();
    else if (criterion) boxes().find((b) => b.value === criterion.code).click();
    else if (key === "t") one("comment").focus();
    else if (key === "enter" && place.tagName !== "BUTTON") go(1);
    else if (key === "arrowright") go(1);
    else if (key === "arrowleft") go(-1);
    else return;
    event.preventDefault();
  });

  const reader = kept(last);
  const before = reader ? kept(last + "-" + reader) : null;
  if (before && before.reader) {
    one("reader").value = before.reader;
    one("experience").value = before.experience;
  }
  show("start");
  one("reader").focus();
})();
