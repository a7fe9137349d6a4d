/**
 * Images: pulled a few at a time, with an operator's credentials, and removed again when nobody uses them and the disk fills.
 */

export { imageSettings, imageSettingsOf } from "./image-settings.ts";
export { type ImageSettings, Images } from "./images.ts";
export { ImagesStore, imagesSchema } from "./images-store.ts";
export { farOf } from "./pull-progress.ts";
export { digestFor, pinned } from "./reference.ts";
