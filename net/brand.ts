// Nominal types over plain values, so that two numbers or two strings of different meaning cannot be swapped.

declare const brand: unique symbol

/** `T` that only the factory of `Name` makes. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name }

/** For the default branch of an exhaustive `switch`: the compiler proves that it is never reached. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`)
}
