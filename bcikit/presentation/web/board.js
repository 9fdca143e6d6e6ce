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
    this.wide = WIDE;
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
    // As high as the picture is, which need not be 16 to 9.
    if (canvas !== null) this.mesh.scale.y = (canvas.clientHeight / canvas.clientWidth) * (16 / 9);
  }

  /** What was drawn on the canvas is seen with the next frame. */
  refresh() {
    if (this._texture !== null) this._texture.needsUpdate = true;
  }
}
