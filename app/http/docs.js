// Sends what a form on the page says, and shows the answer; a live stream shows as it comes.
"use strict";

const MAX_SHOWN_CHARACTERS = 100000;

function requestOf(form) {
  let path = form.dataset.path;
  const query = new URLSearchParams();
  const headers = {};
  const key = document.getElementById("key").value.trim();
  if (key) headers.Authorization = `Bearer ${key}`;
  for (const input of form.querySelectorAll("[data-in]")) {
    if (input.value === "") continue;
    const { name } = input;
    if (input.dataset.in === "path") path = path.replace(`{${name}}`, encodeURIComponent(input.value));
    if (input.dataset.in === "query") query.append(name, input.value);
    if (input.dataset.in === "header") headers[name] = input.value;
  }
  const body = form.querySelector("textarea")?.value;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const url = query.size ? `${path}?${query}` : path;
  return [url, { method: form.dataset.method, headers, body }];
}

async function show(response, output) {
  output.textContent = `${response.status} ${response.statusText}\n`;
  for (const name of ["content-type", "etag", "x-request-id"]) {
    if (response.headers.has(name)) output.textContent += `${name}: ${response.headers.get(name)}\n`;
  }
  const head = output.textContent + "\n";
  let text = "";
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    text = (text + part.value).slice(-MAX_SHOWN_CHARACTERS);
    output.textContent = head + text;
  }
  try {
    output.textContent = head + JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    // Not JSON: it stays as it came.
  }
}

for (const form of document.querySelectorAll("form")) {
  const button = form.querySelector("button");
  const output = form.querySelector("pre");
  let running = null;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (running) return running.abort();
    running = new AbortController();
    button.textContent = "Stop";
    output.hidden = false;
    try {
      const [url, options] = requestOf(form);
      await show(await fetch(url, { ...options, signal: running.signal }), output);
    } catch (error) {
      if (error.name !== "AbortError") output.textContent = String(error);
    }
    running = null;
    button.textContent = "Send";
  });
}
