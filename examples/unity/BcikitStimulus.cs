// Makes any object of a scene a stimulus of bcikit: a letter of a P300 matrix, a target of an SSVEP menu.
using UnityEngine;

public sealed class BcikitStimulus : MonoBehaviour
{
    private static readonly int[] Colours = { Shader.PropertyToID("_Color"), Shader.PropertyToID("_BaseColor") };

    [SerializeField, Tooltip("Name of the item in the paradigm: A, up, YES")]
    private string item = "";

    [SerializeField, Tooltip("Whose colour follows; an unlit material keeps to the level exactly")]
    private Renderer shown = null;

    private MaterialPropertyBlock _block;

    /// <summary>Name of the item in the paradigm.</summary>
    public string Item
    {
        get { return item; }
    }

    /// <summary>Show a luminance of 0 to 1 from this frame on; 0.5 is rest.</summary>
    public void Show(float level)
    {
        if (_block == null) _block = new MaterialPropertyBlock();
        // Level is light; a colour of a material is what a screen is sent, in every colour space of a project.
        Color colour = new Color(level, level, level).gamma;
        shown.GetPropertyBlock(_block);
        foreach (int property in Colours) _block.SetColor(property, colour);
        shown.SetPropertyBlock(_block);
    }
}
