// As much of LSL4Unity's public interface (its LSL.cs) as the example scripts use; a network of lines of text.
using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;

namespace LSL
{
    public abstract class LSLObject : SafeHandle
    {
        public LSLObject(IntPtr obj) : base(IntPtr.Zero, true)
        {
            SetHandle(obj);
        }

        public override bool IsInvalid
        {
            get { return handle == IntPtr.Zero; }
        }

        protected abstract void DestroyLSLObject(IntPtr obj);

        protected override bool ReleaseHandle()
        {
            DestroyLSLObject(handle);
            return true;
        }
    }

    public static class LSL
    {
        public const double IRREGULAR_RATE = 0.0;
        public const double FOREVER = 32000000.0;

        public static void DisposeArray(this StreamInfo[] array)
        {
            foreach (StreamInfo info in array) info.Dispose();
        }
    }

    public enum channel_format_t : int
    {
        cf_float32 = 1,
        cf_double64 = 2,
        cf_string = 3,
        cf_int32 = 4,
        cf_int16 = 5,
        cf_int8 = 6,
        cf_int64 = 7,
        cf_undefined = 0,
    }

    public enum processing_options_t : int
    {
        proc_none = 0,
        proc_clocksync = 1,
        proc_dejitter = 2,
        proc_monotonize = 4,
        proc_threadsafe = 8,
        proc_ALL = 1 | 2 | 4 | 8,
    }

    public class StreamInfo : LSLObject
    {
        private readonly string _name;
        private readonly string _type;

        public StreamInfo(
            string name, string type, int channel_count = 1, double nominal_srate = LSL.IRREGULAR_RATE,
            channel_format_t channel_format = channel_format_t.cf_float32, string source_id = "")
            : base(new IntPtr(1))
        {
            _name = name;
            _type = type;
            if (channel_count != 1 || nominal_srate != LSL.IRREGULAR_RATE || source_id.Length == 0
                || channel_format != channel_format_t.cf_string) throw new ArgumentException(name);
        }

        public string name()
        {
            return _name;
        }

        public string type()
        {
            return _type;
        }

        protected override void DestroyLSLObject(IntPtr obj)
        {
        }
    }

    public class StreamOutlet : LSLObject
    {
        private readonly string _what;

        public StreamOutlet(StreamInfo info, int chunk_size = 0, int max_buffered = 360) : base(new IntPtr(1))
        {
            _what = info.name() + " " + info.type();
            Console.WriteLine("outlet " + _what);
        }

        public void push_sample(string[] data, double timestamp = 0.0, bool pushthrough = true)
        {
            if (IsClosed) throw new ObjectDisposedException("outlet");
            string when = UnityEngine.Stage.AtEndOfFrame ? "end of frame" : "too early";
            Console.WriteLine("marker " + when + ": " + string.Join("|", data));
        }

        protected override void DestroyLSLObject(IntPtr obj)
        {
            Console.WriteLine("no outlet " + _what);
        }
    }

    public class StreamInlet : LSLObject
    {
        public StreamInlet(
            StreamInfo info, int max_buflen = 360, int max_chunklen = 0, bool recover = true,
            processing_options_t postproc_flags = processing_options_t.proc_none)
            : base(new IntPtr(1))
        {
            if (info.IsClosed) throw new ObjectDisposedException("info");
            Console.WriteLine("inlet " + info.name());
        }

        public double pull_sample(string[] sample, double timeout = LSL.FOREVER)
        {
            if (IsClosed) throw new ObjectDisposedException("inlet");
            if (timeout != 0.0) throw new InvalidOperationException("this would hold up the frame");
            if (Network.Ended) throw new LostException();
            if (Network.Samples.Count == 0) return 0.0;
            sample[0] = Network.Samples.Dequeue();
            return 1.0;
        }

        protected override void DestroyLSLObject(IntPtr obj)
        {
            Console.WriteLine("no inlet");
        }
    }

    public class ContinuousResolver : LSLObject
    {
        private readonly string _value;

        public ContinuousResolver(string prop, string value, double forget_after = 5.0) : base(new IntPtr(1))
        {
            if (prop != "name") throw new ArgumentException(prop);
            _value = value;
        }

        public StreamInfo[] results()
        {
            if (IsClosed) throw new ObjectDisposedException("resolver");
            if (Network.Ended || Network.Name != _value) return new StreamInfo[0];
            return new[] { new StreamInfo(_value, "bcikit-command", 1, 0.0, channel_format_t.cf_string, "bcikit") };
        }

        protected override void DestroyLSLObject(IntPtr obj)
        {
        }
    }

    public class LostException : Exception
    {
        public LostException(string message = "", Exception inner = null)
        {
        }
    }

    /// <summary>What a test says there is: the name of a stream, its samples, and whether its sender is gone.</summary>
    internal static class Network
    {
        public static readonly Queue<string> Samples = new Queue<string>();
        public static string Name = "";
        public static bool Ended;
    }
}
