// Who works here: the token of the system (by the browser's certificate), the session of the member of staff, and the time after which nobody works any more.
// The token lives in this module only. The session is kept for this tab (sessionStorage), so that opening the page again does not ask for the password;
// it is worth nothing without the certificate (docs/decisions/0061-the-console.md).
import { Problem, call, get, post, setCaller } from './api.js';

const KEY = 'pmhgw.staff';
const listeners = new Set();
let token = null, tokenEnds = 0, asking = null;
let staff = read();
let lastSent = Date.now(), lastTouched = Date.now();

function read() {
  try {
    const s = JSON.parse(sessionStorage.getItem(KEY) ?? 'null');
    return s && new Date(s.expires_at) > new Date() ? s : null;
  } catch {
    return null;
  }
}

function write() {
  try {
    if (staff) sessionStorage.setItem(KEY, JSON.stringify(staff));
    else sessionStorage.removeItem(KEY);
  } catch { /* it ends with the page, then */ }
}

const tell = (why) => { for (const told of listeners) told(why); };

// told(why): '' after a login or a change, 'left' after a logout, 'idle', 'over' when it has ended
export function onSession(told) {
  listeners.add(told);
  return () => listeners.delete(told);
}

export const who = () => staff && { user: staff.user, role: staff.role, programs: staff.programs, reveal: staff.reveal, allPrograms: staff.programs.includes('*') };
export const due = () => (!staff ? 'login' : staff.must_change_password ? 'password' : staff.must_enrol_totp ? 'totp' : null);

// ---- the token of the system ----

async function askToken() {
  const doc = await call('POST', '/oauth2/token', { body: 'grant_type=client_credentials', type: 'application/x-www-form-urlencoded', plain: true });
  token = doc.access_token;
  tokenEnds = Date.now() + Math.max(5, doc.expires_in - 30) * 1000;
}

async function ready() {
  if (token && Date.now() < tokenEnds) return;
  asking ??= askToken().finally(() => { asking = null; });
  await asking;
}

setCaller({
  headers: async () => {
    await ready();
    lastSent = Date.now();
    return { Authorization: `Bearer ${token}`, ...(staff ? { 'Pmhgw-Staff': staff.staff_session } : {}) };
  },
  refused: (problem, sent) => {
    if (problem.code === 'invalid_token') token = null;
    if (problem.code === 'no_staff_session' && staff && sent['Pmhgw-Staff'] === staff.staff_session) end('over');
    if (problem.code === 'password_change_required' && staff && !staff.must_change_password) set({ ...staff, must_change_password: true });
    if (problem.code === 'second_factor_required' && staff && !staff.must_enrol_totp) set({ ...staff, must_enrol_totp: true });
  },
});

function set(to) {
  staff = to;
  write();
  tell('');
}

// ---- the member of staff ----

export async function login(user, password, totp) {
  const doc = await post('/v1/staff/login', { user_id: user, password, ...(totp ? { totp } : {}) });
  touch();
  set({ ...doc, user });
}

export async function changePassword(password, fresh) {
  await post('/v1/staff/password', { password, new_password: fresh });
  set({ ...staff, must_change_password: false });
}

export const secondFactor = (password) => post('/v1/staff/totp', { password });

export async function proveSecondFactor(code) {
  await post('/v1/staff/totp', { code });
  set({ ...staff, must_enrol_totp: false });
}

function end(why) {
  staff = null;
  write();
  tell(why);
}

export async function logout(why = 'left') {
  if (!staff) return;
  const asked = post('/v1/staff/logout', {}, { deadline: 4000 }).catch(() => null); // its header is taken before the session is forgotten here
  await Promise.race([asked, new Promise((r) => { setTimeout(r, 1500); })]);
  end(why);
}

// ---- idle: judged by what a person does here, not by what the page asks by itself ----

const WARN_S = 120;

export function touch() { lastTouched = Date.now(); }

// { left_s, why }: why is 'idle' or 'over'
export function left() {
  if (!staff) return null;
  const idle = staff.idle_s - (Date.now() - lastTouched) / 1000;
  const whole = (new Date(staff.expires_at) - Date.now()) / 1000;
  return idle < whole ? { left_s: idle, why: 'idle' } : { left_s: whole, why: 'over' };
}

export const warnAt = () => Math.min(WARN_S, (staff?.idle_s ?? 900) / 3);

// While somebody works, the session of the gateway is kept; when nobody has, it ends
export function watch(tick) {
  let asked = 0;
  const timer = setInterval(() => {
    const now = left();
    if (!now) return;
    if (now.left_s <= 0) {
      logout(now.why);
      return;
    }
    if (lastTouched > lastSent && Date.now() - Math.max(lastSent, asked) > (staff.idle_s * 1000) / 4) {
      asked = Date.now();
      get('/v1/tasks').catch(() => null);
    }
    tick(now);
  }, 1000);
  const touched = () => touch();
  for (const name of ['pointerdown', 'keydown']) addEventListener(name, touched, { passive: true });
  return () => {
    clearInterval(timer);
    for (const name of ['pointerdown', 'keydown']) removeEventListener(name, touched);
  };
}

export { Problem };
