// Requests to the room's API: the token goes along, a refusal comes back as `Refused` with the problem's own words.
import { word } from "./words.js";

export class Refused extends Error {
  constructor(problem) {
    super([problem.title, problem.expected, problem.next].filter(Boolean).join(" "));
    this.problem = problem;
  }
}

export async function send(method, path, body) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRF-Token"] = document.querySelector('meta[name="csrf"]').content;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Refused({ title: word("script.no_answer"), status: 0 });
  }
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  const isProblem = answer.headers.get("Content-Type")?.startsWith("application/problem+json");
  throw new Refused(isProblem ? await answer.json() : { title: word("script.no_answer"), status: answer.status });
}

export function tell(problem) {
  const notice = document.getElementById("notice");
  notice.textContent = problem.message;
  notice.hidden = false;
}
