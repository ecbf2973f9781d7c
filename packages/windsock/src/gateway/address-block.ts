/**
 * Who counts as one for `maxConnectionsPerAddress`: an IPv4 address (also when it came mapped into
 * IPv6), or the /64 of an IPv6 address, since whoever has one of these has all of them.
 */
export function addressBlock(remoteAddress: string): string {
  const address = remoteAddress.toLowerCase().replace(/%.*$/, "");
  const v4 = /^(?:::ffff:)?(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1];
  if (v4 !== undefined || !address.includes(":")) return v4 ?? address;
  const [head = "", tail] = address.split("::");
  const groups = head === "" ? [] : head.split(":");
  if (tail !== undefined) {
    const after = tail === "" ? [] : tail.split(":");
    while (groups.length + after.length < 8) groups.push("0");
    groups.push(...after);
  }
  const prefix = groups.slice(0, 4).map((group) => group.replace(/^0+(?=.)/, ""));
  return `${prefix.join(":")}::/64`;
}
