// A value that components follow.
import { useEffect, useState } from "preact/hooks"

export class Store<T> {
  private followers = new Set<() => void>()

  constructor(private current: T) {}

  get value(): T {
    return this.current
  }

  set(value: T): void {
    if (Object.is(value, this.current)) return
    this.current = value
    for (const follower of [...this.followers]) follower()
  }

  /** Returns how to stop following. */
  follow(follower: () => void): () => void {
    this.followers.add(follower)
    return () => void this.followers.delete(follower)
  }
}

export function useStore<T>(store: Store<T>): T {
  const [value, setValue] = useState(store.value)
  useEffect(() => {
    setValue(() => store.value)
    return store.follow(() => setValue(() => store.value))
  }, [store])
  return value
}
