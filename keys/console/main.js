// Begins: the login while nobody works here, then the frame with the views.
import { render } from './page.js';
import { lang, onLang } from './text.js';
import { due, onSession } from './session.js';
import { openLogin } from './login.js';
import { openFrame } from './frame.js';

const app = document.getElementById('app');
let shown = null, close = () => {};

function show(why) {
  const wanted = due() ? 'login' : 'frame';
  if (wanted === shown && wanted === 'frame') return;
  close();
  render(null, app);
  shown = wanted;
  close = wanted === 'login' ? openLogin(app, why) : openFrame(app);
}

document.documentElement.lang = lang();
onLang(() => { document.documentElement.lang = lang(); });
onSession(show);
show('');
