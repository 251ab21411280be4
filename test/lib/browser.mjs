// A real browser: Debian's Chromium, driven by playwright-core.
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);

// Nothing but the page under test may go to the network.
const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];

/**
 * A browser with one page; `faults` gathers what its console calls an error, and pages that threw; `asked` the
 * addresses of all that was loaded, over HTTP or as a WebSocket. `another` opens a second page.
 */
export async function openBrowser() {
  const browser = await chromium.launch({ executablePath, args });
  const page = await browser.newPage();
  const faults = [];
  const asked = [];
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
  page.on('pageerror', (error) => faults.push(String(error)));
  page.on('request', (request) => asked.push(request.url()));
  page.on('websocket', (socket) => asked.push(socket.url()));
  return { page, faults, asked, another: () => browser.newPage(), close: () => browser.close() };
}
