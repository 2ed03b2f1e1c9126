// Hides: that the page works without network after the first visit. All its files are kept in one cache, whose name has the
// version; a new version is put together beside the old one, from which it takes what has not changed, and replaces it once
// no window shows the old one any more.

const VERSION = ""; // written by the build, like what follows
const FILES = {}; // path: SHA-256 of what is kept at once
const LATER = {}; // of what is kept once it is asked for

const SCOPE = self.registration.scope;
const OWN = `temperfill ${new URL(SCOPE).pathname} `; // other pages of this host have caches of their own
const CACHE = OWN + VERSION;
const ALL = { ...FILES, ...LATER };
const addressOf = (name) => new URL(name, SCOPE).href;
const NAMES = new Map(Object.keys(ALL).map((name) => [addressOf(name), name]));

self.addEventListener("install", (event) => {
  event.waitUntil(Promise.all(Object.keys(FILES).map(keep)));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(replaceOthers());
});

self.addEventListener("fetch", (event) => {
  const address = new URL(event.request.url);
  address.search = address.hash = "";
  const name = address.href === SCOPE ? "index.html" : NAMES.get(address.href);
  if (name && event.request.method === "GET") event.respondWith(kept(name));
});

async function replaceOthers() {
  const others = (await caches.keys()).filter((name) => name.startsWith(OWN) && name !== CACHE);
  await Promise.all(others.map((name) => caches.delete(name)));
  await self.clients.claim(); // so that the first visit keeps what it asks for
}

async function kept(name) {
  const cache = await caches.open(CACHE);
  return (await cache.match(addressOf(name))) ?? (await keep(name));
}

/** Puts a file of exactly this version into the cache, from an older one if it is the same there. */
async function keep(name) {
  const address = addressOf(name);
  const known = await caches.match(address);
  const response = known && (await isRight(known, name)) ? known : await load(address, name);
  const cache = await caches.open(CACHE);
  await cache.put(address, response.clone());
  return response;
}

async function load(address, name) {
  const response = await fetch(address, { cache: "no-cache" });
  if (!response.ok) throw new Error(`${name}: ${response.status} ${response.statusText}`);
  if (!(await isRight(response, name))) throw new Error(`${name} is of another version`);
  return response;
}

async function isRight(response, name) {
  const digest = await crypto.subtle.digest("SHA-256", await response.clone().arrayBuffer());
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("") === ALL[name];
}
