import { join } from "node:path";
import { removeBridge } from "./bridge.ts";
import type { Cell, FoundCell } from "./cell.ts";
import { removeContainer } from "./container-end.ts";
import { cellFolders, removeCellFolder } from "./folders.ts";
import { removeHolderImages } from "./holder-image.ts";
import { listOwn } from "./listing.ts";
import type { Hands } from "./start.ts";

/** Takes away what others put into a cell, and its folder. The container is gone. */
export async function release({ providers, folder }: Hands, cellId: string): Promise<void> {
  for (const provider of providers.toReversed()) await provider.release(cellId);
  await removeCellFolder(join(folder, cellId));
}

/** Removes what could not be removed when a cell could not be made. */
export async function removeLeftBehind({ engine, leftBehind }: Hands, signal: AbortSignal): Promise<void> {
  for (const name of leftBehind) {
    await removeContainer(engine, name, signal);
    leftBehind.delete(name);
  }
}

/** The cells that the engine has. Holders of former lives that hold nothing go, and folders of cells that are gone. */
export async function sweep(
  hands: Hands,
  live: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<FoundCell[]> {
  const { engine, instanceId, holders, folder } = hands;
  const listing = await listOwn(engine, instanceId, signal);
  const inUse = new Set(listing.cells.map(({ holderId }) => holderId));
  for (const { id, life } of listing.holders) {
    if (life !== holders.life && !inUse.has(id)) await holders.remove(id, signal);
  }
  const known = new Set([...live, ...listing.cells.map(({ id }) => id)]);
  for (const id of await cellFolders(folder)) if (!known.has(id)) await release(hands, id);
  return listing.cells;
}

/** Removes every cell, every holder, and what was made for all of them. */
export async function purge(
  hands: Hands,
  remove: (cell: Cell) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { engine, instanceId, holders, folder } = hands;
  for (const cell of (await listOwn(engine, instanceId, signal)).cells) await remove(cell);
  for (const { id } of (await listOwn(engine, instanceId, signal)).holders) await holders.remove(id, signal);
  for (const id of await cellFolders(folder)) await release(hands, id);
  await removeBridge(engine, instanceId, signal);
  await removeHolderImages(engine, signal);
}
