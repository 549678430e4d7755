/** What must not be overlooked when the gateway starts. */
import type { Service } from '../../config.ts'

/** A route in shadow mode gives away what it seems to sell. */
export function shadowNotices(services: readonly Service[]): readonly string[] {
  return services.flatMap(({ name, routes }) =>
    routes
      .filter(({ offer }) => offer?.shadow)
      .map(
        ({ key }) =>
          `SHADOW MODE: ${name}, ${key}: EVERYTHING IS LET THROUGH AND NOTHING IS CHARGED. Remove \`shadow: true\` from tally.yaml to sell it.`,
      ),
  )
}
