// As much of Unity's public interface as the example scripts use, with a frame loop that a test turns.
using System;
using System.Collections;
using System.Collections.Generic;
using System.Diagnostics;
using System.Reflection;

namespace UnityEngine
{
    public class Object
    {
    }

    public class Component : Object
    {
    }

    public class Behaviour : Component
    {
    }

    public class YieldInstruction
    {
    }

    public sealed class WaitForEndOfFrame : YieldInstruction
    {
    }

    public sealed class Coroutine : YieldInstruction
    {
    }

    public class MonoBehaviour : Behaviour
    {
        internal readonly List<IEnumerator> Routines = new List<IEnumerator>();

        public Coroutine StartCoroutine(IEnumerator routine)
        {
            // Unity runs a routine at once to its first yield.
            if (routine.MoveNext()) Routines.Add(routine);
            return new Coroutine();
        }
    }

    [AttributeUsage(AttributeTargets.Field)]
    public sealed class SerializeField : Attribute
    {
    }

    [AttributeUsage(AttributeTargets.Field, Inherited = true, AllowMultiple = false)]
    public class TooltipAttribute : Attribute
    {
        public readonly string tooltip;

        public TooltipAttribute(string tooltip)
        {
            this.tooltip = tooltip;
        }
    }

    public static class Debug
    {
        public static void LogError(object message, Object context)
        {
            Console.WriteLine("error " + message + (context == null ? " of nobody" : ""));
        }
    }

    public struct Mathf
    {
        public static float Clamp01(float value)
        {
            return Math.Min(Math.Max(value, 0f), 1f);
        }

        public static float Exp(float power)
        {
            return (float)Math.Exp(power);
        }
    }

    public static class Time
    {
        private static readonly Stopwatch Watch = Stopwatch.StartNew();

        public static double realtimeSinceStartupAsDouble
        {
            get { return Watch.Elapsed.TotalSeconds; }
        }

        public static float deltaTime { get; internal set; }
    }

    public struct Color
    {
        public float r, g, b, a;

        public Color(float r, float g, float b)
        {
            this.r = r;
            this.g = g;
            this.b = b;
            a = 1f;
        }

        public Color gamma
        {
            get { return new Color(Curve(r), Curve(g), Curve(b)); }
        }

        private static float Curve(float level)
        {
            return level <= 0.0031308f ? 12.92f * level : 1.055f * (float)Math.Pow(level, 1 / 2.4) - 0.055f;
        }
    }

    public sealed class Shader : Object
    {
        public static int PropertyToID(string name)
        {
            return name == "_Color" ? 1 : 2;
        }
    }

    public sealed class MaterialPropertyBlock
    {
        internal readonly Dictionary<int, Color> Colours = new Dictionary<int, Color>();

        public void SetColor(int id, Color value)
        {
            Colours[id] = value;
        }
    }

    public class Renderer : Component
    {
        internal Color Seen;

        public void GetPropertyBlock(MaterialPropertyBlock properties)
        {
        }

        public void SetPropertyBlock(MaterialPropertyBlock properties)
        {
            Seen = properties.Colours[1];
        }
    }

    public class Animator : Behaviour
    {
        private static readonly List<string> Names = new List<string>();
        private readonly Dictionary<int, float> _floats = new Dictionary<int, float>();

        public static int StringToHash(string name)
        {
            Names.Add(name);
            return 1000 + Names.Count;
        }

        public void SetFloat(int id, float value)
        {
            _floats[id] = value;
        }

        internal float Seen(string name)
        {
            float value;
            return _floats.TryGetValue(1001 + Names.IndexOf(name), out value) ? value : float.NaN;
        }
    }

    /// <summary>What the engine does with a script: fill in its fields, wake it, turn frames, put it to sleep.</summary>
    internal sealed class Stage
    {
        private readonly MonoBehaviour _script;
        private double _last = Time.realtimeSinceStartupAsDouble;

        public Stage(MonoBehaviour script)
        {
            _script = script;
        }

        /// <summary>Whether the frame has been drawn and is about to be shown.</summary>
        public static bool AtEndOfFrame { get; private set; }

        public void Fill(string field, object value)
        {
            FieldInfo found = _script.GetType().GetField(field, BindingFlags.Instance | BindingFlags.NonPublic);
            if (found.GetCustomAttribute<SerializeField>() == null) throw new InvalidOperationException(field);
            found.SetValue(_script, value);
        }

        public void Tell(string message)
        {
            MethodInfo found = _script.GetType().GetMethod(message, BindingFlags.Instance | BindingFlags.NonPublic);
            if (found != null) found.Invoke(_script, null);
        }

        public void Frame()
        {
            double now = Time.realtimeSinceStartupAsDouble;
            Time.deltaTime = (float)(now - _last);
            _last = now;
            Tell("Update");
            AtEndOfFrame = true;
            foreach (IEnumerator routine in _script.Routines.ToArray())
            {
                if (routine.Current is WaitForEndOfFrame && !routine.MoveNext()) _script.Routines.Remove(routine);
            }
            AtEndOfFrame = false;
        }
    }
}
