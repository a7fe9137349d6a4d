import about from "../../package.json" with { type: "json" };

/** The version of this program, as in `0.1.0`: one for all programs, since they ship together. */
export const version: string = about.version;
