/** docs/config.md, from the schema itself. */
import * as z from 'zod'
import { schema } from './schema.ts'

type Node = z.core.JSONSchema.BaseSchema

export function configDocument(): string {
  const rows = rowsOf('', z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }), { required: false })
  return `${INTRODUCTION}\n| key | default | meaning |\n|---|---|---|\n${rows.join('\n')}\n`
}

const INTRODUCTION = `# tally.yaml

Generated from the schema by \`npm run docs\`. A worked example is in [examples/tally.yaml](../examples/tally.yaml).

\`tally config check\` reads the file and prints every mistake at once as \`tally.yaml:14:7 price: expected an amount like
"10 sat"\`. Unknown and repeated keys are mistakes. Durations are written \`30s\`, \`5m\`, \`1h\`, \`30d\`; amounts \`10 sat\` or
\`1500 msat\`. Secrets are references, \`env:NAME\` or \`file:path\`; a secret written into the file is a mistake. NAME is a service,
ROUTE a route such as \`GET /qr/**\`.
`

function rowsOf(name: string, node: Node, { required }: { required: boolean }): readonly string[] {
  const own =
    node.description === undefined ? [] : [`| \`${name}\` | ${defaultOf(node, required)} | ${cell(node.description)} |`]
  const under = (child: string): string => (name === '' ? child : `${name}.${child}`)
  const keys = Object.entries(node.properties ?? {}).flatMap(([key, child]) =>
    typeof child === 'boolean' ? [] : rowsOf(under(key), child, { required: node.required?.includes(key) ?? false }),
  )
  const entries = node.additionalProperties
  const wild =
    typeof entries === 'object'
      ? rowsOf(under(name.endsWith('.routes') ? 'ROUTE' : 'NAME'), entries, { required: true })
      : []
  const branches = (node.anyOf ?? []).flatMap((branch) =>
    typeof branch === 'boolean' ? [] : rowsOf(branchName(name, branch), branch, { required: true }),
  )
  return [...own, ...keys, ...wild, ...branches]
}

const branchName = (name: string, branch: Node): string =>
  branch.const === undefined ? name : `${name}: ${JSON.stringify(branch.const).slice(1, -1)}`

function defaultOf(node: Node, required: boolean): string {
  if (typeof node.default === 'string') return `\`${node.default}\``
  return required ? 'required' : ''
}

const cell = (text: string): string => text.replaceAll('|', '\\|')
