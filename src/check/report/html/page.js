"use strict";
const form = document.querySelector(".filters");
const items = [...document.querySelectorAll("[data-verdict]")];
const groups = [...document.querySelectorAll(".group")];
const has = (list, word) => !word || list.split(" ").includes(word);
const apply = () => {
  const { verdict, family, role, text } = form.elements;
  const wanted = text.value.trim().toLowerCase();
  const filtered = verdict.value || family.value || role.value || wanted;
  let shown = 0;
  for (const item of items) {
    const { verdict: is, family: of, roles } = item.dataset;
    const fits = (!verdict.value || is === verdict.value) && has(of, family.value) && has(roles, role.value)
      && (!wanted || item.textContent.toLowerCase().includes(wanted));
    item.hidden = !fits;
    shown += fits;
  }
  for (const group of groups) {
    const left = group.querySelectorAll("[data-verdict]:not([hidden])").length;
    group.hidden = left === 0;
    if (filtered && left) group.open = true;
  }
  form.querySelector("output").value = filtered ? `${shown} of ${items.length}` : "";
};
const reveal = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  if (target) target.scrollIntoView();
};
form.addEventListener("input", apply);
form.addEventListener("submit", (event) => event.preventDefault());
form.elements.open.addEventListener("click", (event) => {
  const open = event.target.textContent === "open all";
  for (const details of document.querySelectorAll("details")) details.open = open;
  event.target.textContent = open ? "close all" : "open all";
});
addEventListener("hashchange", reveal);
form.hidden = false;
reveal();
