/** docs/hostile.md, from the rows that the tests send. */
import { broken, invalid, trailing } from './answers.ts'
import { behindNginx, brokenOff, refused, type Row } from './rows.ts'

export function hostileDocument(): string {
  const rows = [
    ...refused.map((row) => requestRow(row, `${row.status}`)),
    ...brokenOff.map((row) => requestRow(row, '400, and a body without an end')),
  ]
  const answers = [
    ...invalid.map(({ name }) => `| ${name} | 502; the connection is cut; the charge is given back |`),
    ...broken.map(({ name }) => `| ${name} | a cut connection, no clean end; the charge is given back |`),
    ...trailing.map(({ name }) => `| ${name} | the one response; the connection is cut |`),
  ]
  return `${INTRODUCTION}
## From clients

| the request | sent to the gateway | sent to nginx 1.22 in front of it |
|---|---|---|
${rows.join('\n')}

## From upstreams

| the upstream sends | the client gets |
|---|---|
${answers.join('\n')}
`
}

/** A pipe and a backslash mean something in a table. */
const cell = (text: string): string => text.replaceAll(/[\\|]/g, '\\$&')
const requestRow = (row: Row, status: string): string => `| ${cell(row.name)} | ${status} | ${behindNginx(row)} |`

const INTRODUCTION = `# What does the gateway do with hostile HTTP?

Made by \`npm run docs\` from the rows that \`npm test -- test/hostile\` sends, as bytes on plain sockets.

\`test/hostile/matrix.test.ts\` sends every request to the gateway, and through Debian's nginx to the gateway, with Node's own
HTTP server behind. Sent to the gateway each is refused. In all cases the server behind sees at most one whole request, of a
target with one meaning; what was smuggled behind it never arrives, because if it is read at all it is a request to the gateway,
which asks for its price. nginx accepts some of these rows and makes one plain request of them: then that is what the gateway
judges. Other versions of nginx may refuse more or fewer.

\`test/hostile/upstreams.test.ts\` lets an upstream answer every response of the second table. Silence, drips and slow bodies are in
[gateway.md](gateway.md), "Streaming, and time"; bytes on an idle connection cut it.
`
