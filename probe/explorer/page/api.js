// Asks the server. Requests that are aborted end at once; when the server is gone, all wait until it is back.

const SHORT_MS = 30_000; // for a read that should take milliseconds: a server that takes longer is gone
const POLL_MS = [300, 600, 1000, 2000]; // between two looks whether it is back

/** What the server refused: its sentence is the message. */
export class Refused extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.name = "Refused";
    this.status = status;
  }
}

/** Whether an error says that a request was overtaken, which nobody needs to be told. */
export function isOvertaken(error) {
  return error.name === "AbortError";
}

/** The server did not answer, or no further. */
class Gone extends Error {}

const GONE = ["TypeError", "TimeoutError", "AbortError"]; // what `fetch` and the reading of an answer fail with

/** Wait for what the server answers; only here does a failure mean that it is gone. */
async function reached(answer) {
  try {
    return await answer;
  } catch (error) {
    throw GONE.includes(error.name) ? new Gone(error.message) : error;
  }
}

/**
 * The server's answers. `onGone(sentence)` is called when it does not answer, `onBack(facts)` when it answers again, with
 * what `/api/facts` says then.
 */
export class Api {
  #back = null; // a promise while the server is gone

  constructor({ onGone, onBack }) {
    Object.assign(this, { onGone, onBack });
  }

  /** An answer as JSON. `parameters` are those of the address; `undefined` ones are left out. */
  async json(path, parameters = {}, { signal } = {}) {
    return this.#short(addressOf(path, parameters), {}, signal, (response) => response.json());
  }

  /** An answer as bytes. */
  async bytes(path, parameters, { signal } = {}) {
    return this.#short(addressOf(path, parameters), {}, signal, (response) => response.arrayBuffer());
  }

  /** An overview: its bytes, and whether it is a sample of the characters. */
  async overview(parameters, { signal } = {}) {
    return this.#short(addressOf("overview", parameters), {}, signal, async (response) => ({
      bytes: await response.arrayBuffer(),
      isSample: response.headers.get("X-Overview-Of") === "sample",
    }));
  }

  /** The answer to a question that is sent as JSON. */
  async post(path, question, { signal } = {}) {
    return this.#short(addressOf(path), posted(question), signal, (response) => response.json());
  }

  /** The answer to a change that is sent as JSON; it arrives even if the page is closed meanwhile. */
  async put(path, change, { signal } = {}) {
    return this.#short(addressOf(path), { ...posted(change), method: "PUT", keepalive: true }, signal, (response) => response.json());
  }

  /** A file that answers a question: its name and a blob. */
  async file(path, question, { signal } = {}) {
    return this.#short(addressOf(path), posted(question), signal, async (response) => {
      const [, name] = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition") ?? "") ?? [];
      return { name, blob: await response.blob() };
    });
  }

  /**
   * The messages of a long question, one after the other, each of which is passed to `onMessage`. Returns when all have
   * come. When the server goes in between, the question is asked again. An answer whose last message is no result fails.
   */
  async stream(path, question, onMessage, { signal, method = "POST" } = {}) {
    const isGet = method === "GET";
    const options = isGet ? {} : posted(question);
    return this.#persist(signal, async () => {
      const response = await reached(fetch(addressOf(path, isGet ? question : {}), { ...options, signal }));
      await refuse(response);
      let isWhole = false;
      for await (const message of messagesOf(response)) {
        if (message.error !== undefined) throw new Refused(response.status, message.error);
        isWhole = message.result !== undefined;
        onMessage(message);
      }
      if (!isWhole) throw new Error("the answer ended before it was whole; ask again");
    });
  }

  #short(address, options, signal, read) {
    return this.#persist(signal, async () => {
      const late = AbortSignal.timeout(SHORT_MS);
      const response = await reached(fetch(address, { ...options, signal: signal ? AbortSignal.any([signal, late]) : late }));
      await refuse(response);
      return reached(read(response));
    });
  }

  /** Do something that asks the server, again and again while it is gone. */
  async #persist(signal, ask) {
    for (;;) {
      try {
        return await ask();
      } catch (error) {
        if (signal?.aborted) throw new DOMException("overtaken", "AbortError");
        const isShut = error instanceof Refused && error.status === 403;
        if (!(error instanceof Gone) && !isShut) throw error;
        await this.#untilBack(isShut ? error.message : "", signal);
      }
    }
  }

  async #untilBack(sentence, signal) {
    this.#back ??= this.#wait(sentence).finally(() => (this.#back = null));
    await Promise.race([this.#back, abortOf(signal)]);
  }

  async #wait(sentence) {
    this.onGone(sentence);
    for (let n = 0; ; n++) {
      await new Promise((done) => setTimeout(done, POLL_MS[Math.min(n, POLL_MS.length - 1)]));
      const facts = await this.#factsIfBack();
      if (facts) return this.onBack(facts);
    }
  }

  async #factsIfBack() {
    try {
      const response = await fetch(addressOf("facts"), { signal: AbortSignal.timeout(SHORT_MS) });
      if (response.ok) return await response.json();
      if (response.status === 403) this.onGone(await sentenceOf(response));
    } catch {
      return null; // still gone
    }
    return null;
  }
}

function addressOf(path, parameters = {}) {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined);
  return `/api/${path}${given.length ? `?${new URLSearchParams(given)}` : ""}`;
}

function posted(question) {
  return { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(question) };
}

async function refuse(response) {
  if (!response.ok) throw new Refused(response.status, await sentenceOf(response));
}

async function sentenceOf(response) {
  const text = await reached(response.text());
  try {
    return JSON.parse(text).error ?? text;
  } catch {
    return text || `the server answered ${response.status}`;
  }
}

function abortOf(signal) {
  return new Promise((_, reject) => {
    signal?.addEventListener("abort", () => reject(new DOMException("overtaken", "AbortError")));
  });
}

/** The lines of an answer, as JSON, as they come. */
async function* messagesOf(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reached(reader.read());
      const lines = (rest + (value ?? "")).split("\n");
      rest = done ? "" : lines.pop();
      for (const line of lines) if (line.trim()) yield JSON.parse(line);
      if (done) return;
    }
  } finally {
    reader.cancel().catch(() => {}); // nobody reads on
  }
}
