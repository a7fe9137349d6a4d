import type { Schema, Sql } from "../../base/sql.ts";

/** What this daemon pulled, and which images its runtimes had: an image that somebody else brought is never removed. */
export const imagesSchema: Schema = {
  room: "images",
  migrations: [
    `CREATE TABLE images_pulled (
       image_id TEXT NOT NULL,
       reference TEXT NOT NULL,
       used_at INTEGER NOT NULL,
       PRIMARY KEY (image_id, reference)
     ) STRICT;
     CREATE TABLE images_of_runtimes (
       runtime TEXT NOT NULL,
       image_id TEXT NOT NULL,
       used_at INTEGER NOT NULL,
       PRIMARY KEY (runtime, image_id)
     ) STRICT;`,
  ],
};

/** An image that this daemon pulled. */
export interface PulledImage {
  imageId: string;
  /** By which it was pulled. */
  reference: string;
  /** When it was last seen in use, in wall milliseconds. */
  usedAt: number;
}

/** Images remembered of each runtime: its own, and the one before. */
const keptOfRuntime = 2;

export class ImagesStore {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** What this daemon pulled, the longest unused first. */
  pulled(): PulledImage[] {
    const rows = this.#sql.all("SELECT * FROM images_pulled ORDER BY used_at, reference");
    return rows.map((row) => ({
      imageId: String(row.image_id),
      reference: String(row.reference),
      usedAt: Number(row.used_at),
    }));
  }

  addPulled({ imageId, reference, usedAt }: PulledImage): void {
    this.#sql.run("INSERT OR REPLACE INTO images_pulled VALUES (?, ?, ?)", imageId, reference, usedAt);
  }

  forgetPulled({ imageId, reference }: PulledImage): void {
    this.#sql.run("DELETE FROM images_pulled WHERE image_id = ? AND reference = ?", imageId, reference);
  }

  touchPulled(imageId: string, usedAt: number): void {
    this.#sql.run("UPDATE images_pulled SET used_at = ? WHERE image_id = ?", usedAt, imageId);
  }

  /** A runtime is made from an image. */
  use(runtime: string, imageId: string, usedAt: number): void {
    this.#sql.transaction(() => {
      this.#sql.run("INSERT OR REPLACE INTO images_of_runtimes VALUES (?, ?, ?)", runtime, imageId, usedAt);
      this.#sql.run(
        `DELETE FROM images_of_runtimes WHERE runtime = ? AND image_id NOT IN
           (SELECT image_id FROM images_of_runtimes WHERE runtime = ? ORDER BY used_at DESC, rowid DESC LIMIT ?)`,
        ...[runtime, runtime, keptOfRuntime],
      );
    });
  }

  /** The images of these runtimes, and of each the one before; what others had is forgotten. */
  ofRuntimes(names: ReadonlySet<string>): Set<string> {
    const kept = new Set<string>();
    for (const { runtime, image_id } of this.#sql.all("SELECT runtime, image_id FROM images_of_runtimes")) {
      if (names.has(String(runtime))) kept.add(String(image_id));
      else this.#sql.run("DELETE FROM images_of_runtimes WHERE runtime = ?", String(runtime));
    }
    return kept;
  }
}
