/** A database as people are told of it: by its name and place, without user and password. */
export function nameOf(url: string): string {
  // Without a host the place is a socket, whose folder is a parameter.
  const { hostname, port, pathname, searchParams } = new URL(
    url.replace(/^\w+:\/\//, "http://").replace(":///", "://-/"),
  );
  const place = searchParams.get("host") ?? (port === "" ? hostname : `${hostname}:${port}`);
  return `PostgreSQL (${decodeURIComponent(pathname.slice(1))} at ${place})`;
}
