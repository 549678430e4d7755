#!/usr/bin/env node
/**
 * The `tally` command. Plain JS that any Node can read, so that an old one gets told what to do and not a syntax error.
 * Installed from a package it runs dist; in a clone it runs the TypeScript of all packages through their `source`
 * condition, which has to be an argument of the process: only then do worker threads see it too.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import module from 'node:module'
import { fileURLToPath } from 'node:url'

const [major, minor] = process.versions.node.split('.').map(Number)
const source = new URL('../src/main.ts', import.meta.url)
const inClone = existsSync(source)

// The sources say `await using`, which Node 22 cannot read; what is published was compiled for it.
const tooOld = inClone ? major < 24 : major < 22 || (major === 22 && minor < 18)

if (tooOld) {
  const [needed, fix] = inClone
    ? ['24', 'use `npx tally`, which brings its own']
    : ['22.18', 'install a newer one from https://nodejs.org']
  console.error(`tally needs Node ${needed} or newer here and this is ${process.versions.node}: ${fix}.`)
  process.exitCode = 1
} else if (!inClone || process.execArgv.includes('--conditions=source')) {
  // Halves the time to start, which in a clone is mostly stripping types. Not in a shared directory: it holds code.
  if (inClone) module.enableCompileCache(fileURLToPath(new URL('../../../node_modules/.cache/tally', import.meta.url)))
  const { main } = await import(inClone ? source.href : '../dist/main.js')
  process.exitCode = await main(process.argv.slice(2))
} else {
  restart(['--conditions=source', ...process.execArgv, ...process.argv.slice(1)])
}

/** In place, so that pid, signals and terminal stay what they were. Windows cannot and gets a child. */
function restart(args) {
  if (process.platform !== 'win32') process.execve(process.execPath, [process.execPath, ...args], process.env)
  const child = spawn(process.execPath, args, { stdio: 'inherit' })
  process.on('SIGINT', () => {}) // the console sends Ctrl-C to both; the child decides
  child.on('exit', (code) => (process.exitCode = code ?? 1))
}
