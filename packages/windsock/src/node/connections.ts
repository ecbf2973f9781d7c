/** The connections of one address block. Each of them points to it. */
export interface AddressCount {
  readonly address: string;
  connections: number;
}

/** Connections that are open or on their way, in all and of each address. */
export class Connections {
  #count = 0;
  /** Only addresses that have connections. */
  readonly #addresses = new Map<string, AddressCount>();

  get count(): number {
    return this.#count;
  }

  countOf(address: string): number {
    return this.#addresses.get(address)?.connections ?? 0;
  }

  /** To be given to `close` when the connection is over. */
  open(address: string): AddressCount {
    let of = this.#addresses.get(address);
    if (of === undefined) this.#addresses.set(address, (of = { address, connections: 0 }));
    of.connections += 1;
    this.#count += 1;
    return of;
  }

  close(of: AddressCount): void {
    of.connections -= 1;
    this.#count -= 1;
    if (of.connections === 0) this.#addresses.delete(of.address);
  }
}
