// In a headset the scenes hang on a board in the room, in front of the chair.
import { CanvasTexture, Mesh, MeshBasicMaterial, PlaneGeometry, SRGBColorSpace } from "/vendor/three.js";

const WIDE = 1.6; // metres
const FAR = -1.5;
const HIGH = 1.45;

export class Board {
  constructor() {
    this.mesh = new Mesh(new PlaneGeometry(WIDE, (WIDE * 9) / 16), new MeshBasicMaterial({ toneMapped: false }));
    this.mesh.position.set(0, HIGH, FAR);
    this.mesh.visible = false;
    this._texture = null;
  }

  /** Hang a canvas on the board, or take it away (null). */
  hang(canvas) {
    this._texture?.dispose();
    this._texture = canvas === null ? null : new CanvasTexture(canvas);
    if (this._texture !== null) this._texture.colorSpace = SRGBColorSpace;
    this.mesh.material.map = this._texture;
    this.mesh.material.needsUpdate = true;
    this.mesh.visible = canvas !== null;
  }

  /** What was drawn on the canvas is seen with the next frame. */
  refresh() {
    if (this._texture !== null) this._texture.needsUpdate = true;
  }
}
