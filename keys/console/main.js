import './router.js';
