// Which frame of a scene shows which stimulus: the rules of the page and of the window (bcikit/presentation/presenter.py).
// It draws nothing, so that it can light any object. Needs Newtonsoft.Json and no more than C# 6.
using System;
using System.Collections.Generic;
using System.Linq;
using Newtonsoft.Json.Linq;

namespace Bcikit
{
    /// <summary>Finds the refresh rate of a screen from the times of its frames.</summary>
    public sealed class FrameClock
    {
        private const int Kept = 240;
        private readonly Queue<double> _gaps = new Queue<double>();
        private double _last = double.NaN;

        /// <summary>Frames a second; 60 until it is known.</summary>
        public double Refresh { get; private set; } = 60.0;

        /// <summary>Whether it was measured.</summary>
        public bool Known { get; private set; }

        /// <summary>Take the time of a frame in seconds.</summary>
        public void Frame(double time)
        {
            double gap = time - _last;
            _last = time;
            if (!(gap > 0 && gap < 0.25)) return;
            _gaps.Enqueue(gap);
            if (_gaps.Count > Kept) _gaps.Dequeue();
            if (_gaps.Count < 30 || _gaps.Count % 10 != 0) return;
            double median = _gaps.OrderBy(item => item).ElementAt(_gaps.Count / 2);
            double seconds = 0;
            double frames = 0;
            foreach (double item in _gaps)
            {
                double count = Math.Max(1, Math.Round(item / median));
                if (count > 3) continue;
                seconds += item;
                frames += count;
            }
            Refresh = frames / seconds;
            Known = true;
        }
    }

    /// <summary>Locks flashes and flicker to frames. Times are seconds of the host's clock.</summary>
    public sealed class Presenter
    {
        /// <summary>Seconds from the plan to the screen, the same for every stimulus.</summary>
        public const double Delay = 0.1;

        private const double Anew = 1.0; // seconds without a stimulus after which the next one may fall on any frame
        private const double Other = 0.05; // share by which a rate is that of another screen
        private const double Longest = 6.0; // seconds of a flicker of which nobody says that it is over
        private readonly List<KeyValuePair<long, JObject>> _waiting = new List<KeyValuePair<long, JObject>>();
        private readonly Dictionary<string, double> _lit = new Dictionary<string, double>();
        private double _refresh = 60.0;
        private double _zero = double.NaN;
        private double _anchorTime = double.NaN;
        private double _newest;
        private long _anchorFrame;
        private long _last = long.MinValue;
        private double _lastTime;
        private JObject _flicker;
        private long _onset;

        /// <summary>Frames that were not shown while something flickered.</summary>
        public long Dropped { get; private set; }

        /// <summary>Whether something flickers.</summary>
        public bool Flickers
        {
            get { return _flicker != null; }
        }

        /// <summary>Take the data of a message "show".</summary>
        public void Take(JObject show)
        {
            var happened = show["event"] as JObject;
            if (happened == null || (string)happened["name"] == "feedback/update") return;
            Wait(happened);
        }

        /// <summary>The refresh rate that was measured; what waits is placed anew.</summary>
        public bool Measured(double refresh)
        {
            if (Math.Abs(refresh - _refresh) < 0.001 * refresh) return false;
            JObject[] waiting = _waiting.Select(item => item.Value).ToArray();
            double old = _refresh;
            _waiting.Clear();
            _refresh = refresh;
            _anchorTime = double.NaN;
            if (double.IsNaN(_zero) || _last == long.MinValue)
            {
                _zero = double.NaN;
            }
            else
            {
                // The newest frame is number 0, at its own time: by a rate that was too low its number had run ahead, and
                // what is planned would be shown early for ever. What flickers goes on where it was, for as long as it was to.
                _zero = _lastTime;
                _onset = -(long)Math.Round((_last - _onset) / old * refresh);
                _last = 0;
            }
            // A screen of another rate, and no better estimate of the same: shown too slowly, it turns into another one.
            bool other = Math.Abs(refresh - old) > Other * old;
            if (other && Flickers && !_flicker["data"]["targets"].All(Fits)) _flicker = null;
            foreach (JObject item in waiting) Wait(item);
            return true;
        }

        /// <summary>Go on to the frame of <paramref name="now"/>; returns the events that begin with it.</summary>
        public List<JObject> Frame(double now)
        {
            if (_last != long.MinValue && now < _lastTime - Anew) Restart(now);
            if (double.IsNaN(_zero)) _zero = now;
            long number = (long)Math.Round((now - _zero) * _refresh);
            if (_last != long.MinValue)
            {
                number = Math.Max(number, _last + 1);
                if (Flickers) Dropped += number - _last - 1;
            }
            _last = number;
            _lastTime = now;
            var begun = new List<JObject>();
            while (_waiting.Count > 0 && _waiting[0].Key <= number)
            {
                begun.Add(_waiting[0].Value);
                Begin(_waiting[0].Value, number, now);
                _waiting.RemoveAt(0);
            }
            foreach (string item in _lit.Where(pair => pair.Value <= now + 0.5 / _refresh).Select(pair => pair.Key).ToArray())
            {
                _lit.Remove(item);
            }
            if (Flickers && number - _onset >= Seconds(_flicker) * _refresh) _flicker = null;
            return begun;
        }

        /// <summary>Luminance 0 to 1 of an item in this frame; 0.5 is rest.</summary>
        public float Level(string item)
        {
            if (Flickers)
            {
                foreach (JToken target in _flicker["data"]["targets"])
                {
                    if ((string)target["item"] != item) continue;
                    double depth = Math.Min(Math.Max((double?)_flicker["data"]["depth"] ?? 0.6, 0), 1);
                    double phase = (double?)target["phase"] ?? 0;
                    long frame = _last - _onset;
                    string code = (string)target["code"];
                    if (!string.IsNullOrEmpty(code))
                    {
                        // Frame n shows bit floor(n rate / R), and the code begins again at its end.
                        int bit = (int)((long)Math.Floor(frame * (double)target["rate"] / _refresh + 1e-6) % code.Length);
                        return (float)((1 + depth * (code[bit] == '1' ? 1 : -1)) / 2);
                    }
                    if ((string)target["mode"] == "frame-period")
                    {
                        double period = Math.Max(2, Math.Floor(_refresh / (double)target["frequency"] + 0.5));
                        double place = (frame + phase / (2 * Math.PI) * period) % period;
                        return (float)((1 + depth * (place < period / 2 ? 1 : -1)) / 2);
                    }
                    double turns = (double)target["frequency"] * frame / _refresh;
                    return (float)((1 + depth * Math.Sin(2 * Math.PI * turns + phase)) / 2);
                }
            }
            return _lit.ContainsKey(item) ? 1f : 0.5f;
        }

        /// <summary>Nothing is lit and nothing flickers from now on.</summary>
        public void Safe()
        {
            _lit.Clear();
            _flicker = null;
            // What was planned a moment ago would begin now.
            _waiting.RemoveAll(item => (string)item.Value["name"] == "stimulus/flicker" || (string)item.Value["name"] == "stimulus/flash");
        }

        /// <summary>Whether the screen can show a target: every bit of its code, or its frequency.</summary>
        private bool Fits(JToken target)
        {
            return string.IsNullOrEmpty((string)target["code"])
                ? 2 * (double)target["frequency"] <= _refresh * (1 + 1e-9)
                : (double)target["rate"] <= _refresh * 1.01;
        }

        /// <summary>The host's clock went back, as it does with a host that was started anew: what it had planned is over, what waits is placed anew.</summary>
        private void Restart(double now)
        {
            // What is due long after now is of the clock before.
            JObject[] waiting = _waiting.Select(item => item.Value).Where(item => (double)item["time"] <= now + Anew).ToArray();
            _waiting.Clear();
            _lit.Clear();
            _flicker = null;
            _zero = now;
            _last = long.MinValue;
            _anchorTime = double.NaN;
            foreach (JObject item in waiting) Wait(item);
        }

        private static double Seconds(JObject flicker)
        {
            double asked = (double?)flicker["duration"] ?? 0;
            return Math.Min(asked > 0 ? asked : 4.0, Longest);
        }

        private void Wait(JObject happened)
        {
            double time = (double)happened["time"] + Delay;
            if (double.IsNaN(_zero)) _zero = time;
            if (double.IsNaN(_anchorTime) || Math.Abs(time - _newest) > Anew)
            {
                _anchorTime = time;
                _anchorFrame = (long)Math.Round((time - _zero) * _refresh);
            }
            _newest = time;
            long frame = _anchorFrame + (long)Math.Round((time - _anchorTime) * _refresh);
            int at = _waiting.FindIndex(item => item.Key > frame);
            _waiting.Insert(at < 0 ? _waiting.Count : at, new KeyValuePair<long, JObject>(frame, happened));
        }

        private void Begin(JObject happened, long number, double now)
        {
            string name = (string)happened["name"];
            var data = happened["data"] as JObject ?? new JObject();
            if (name == "stimulus/flash")
            {
                _lit.Clear();
                foreach (JToken item in data["items"] ?? new JArray()) _lit[(string)item] = now + (double)happened["duration"];
            }
            else if (name == "stimulus/flicker" && data["targets"] is JArray)
            {
                // What the screen cannot show turns into another flicker: better none.
                bool fits = data["targets"].All(Fits);
                _flicker = fits && data["targets"].Any() ? happened : null;
                _onset = number;
            }
            else if (name == "stimulus/off")
            {
                _flicker = null;
            }
        }
    }
}
