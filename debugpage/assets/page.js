"use strict";

// The page is whole without this. It fetches the page again every two seconds,
// while it is looked at, and changes what has changed.

const every = 2000;
const button = document.getElementById("live");
const trouble = document.getElementById("trouble");
let live = true;
let timer = 0;
let asking = null; // the request that is under way

// morph makes the children and attributes of old those of next, and keeps the
// elements that are there, so that focus, selection and scrolling stay. Rows are
// told apart by data-key.
function morph(old, next) {
	if (old.nodeType !== Node.ELEMENT_NODE) {
		if (old.data !== next.data) old.data = next.data;
		return;
	}
	for (const { name } of [...old.attributes]) {
		if (!next.hasAttribute(name)) old.removeAttribute(name);
	}
	for (const { name, value } of next.attributes) {
		if (old.getAttribute(name) !== value) old.setAttribute(name, value);
	}
	const keys = new Set([...next.children].map(keyOf).filter(Boolean));
	const rows = new Map();
	for (const row of [...old.children]) {
		const key = keyOf(row);
		if (!key) continue;
		if (keys.has(key)) rows.set(key, row);
		else row.remove();
	}
	let here = old.firstChild;
	for (const child of [...next.childNodes]) {
		const key = keyOf(child);
		const found = key ? rows.get(key) : here && !keyOf(here) && here.nodeName === child.nodeName ? here : null;
		if (!found) {
			old.insertBefore(child, here);
			continue;
		}
		if (found === here) here = here.nextSibling;
		else old.insertBefore(found, here);
		morph(found, child);
	}
	while (here) {
		const rest = here.nextSibling;
		here.remove();
		here = rest;
	}
}

function keyOf(node) {
	return node.nodeType === Node.ELEMENT_NODE ? node.id || node.dataset.key || "" : "";
}

async function refresh() {
	clearTimeout(timer);
	if (asking) asking.abort();
	const mine = (asking = new AbortController());
	let wait = every;
	try {
		const answer = await fetch(location.href, { signal: mine.signal, cache: "no-store" });
		if (!answer.ok) throw new Error("status " + answer.status);
		const next = new DOMParser().parseFromString(await answer.text(), "text/html");
		morph(document.getElementById("at"), next.getElementById("at"));
		morph(document.querySelector("main"), next.querySelector("main"));
		say("");
	} catch (err) {
		if (mine.signal.aborted) return;
		say("No answer; trying again.");
		wait = 5 * every;
	}
	if (mine !== asking) return;
	asking = null;
	if (live && !document.hidden) timer = setTimeout(refresh, wait);
}

// say changes what a screen reader reads out only if it is something else.
function say(text) {
	if (trouble.textContent !== text) trouble.textContent = text;
}

function show(query) {
	history.replaceState(null, "", query);
	refresh();
}

button.hidden = false;
button.addEventListener("click", () => {
	live = !live;
	button.setAttribute("aria-pressed", String(live));
	if (live) refresh();
	else clearTimeout(timer);
});

document.addEventListener("visibilitychange", () => {
	if (live && !document.hidden) refresh();
});

document.addEventListener("click", (event) => {
	const link = event.target.closest("a[data-live]");
	if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
	event.preventDefault();
	show(link.getAttribute("href"));
});

let typing = 0;
document.addEventListener("input", (event) => {
	const form = event.target.closest("form.search");
	if (!form) return;
	clearTimeout(typing);
	typing = setTimeout(() => show(queryOf(form)), 150);
});
document.addEventListener("submit", (event) => {
	const form = event.target.closest("form.search");
	if (!form) return;
	event.preventDefault();
	clearTimeout(typing);
	show(queryOf(form));
});

// queryOf returns the query of the page with what the form says.
function queryOf(form) {
	const query = new URLSearchParams(location.search);
	const was = query.get("sort");
	for (const field of form.querySelectorAll("input[type=search], select")) {
		if (field.value) query.set(field.name, field.value);
		else query.delete(field.name);
	}
	if (was !== query.get("sort")) query.delete("order");
	return "?" + query;
}

document.documentElement.classList.add("scripted");
timer = setTimeout(refresh, every);
