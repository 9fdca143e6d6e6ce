// Reference client of bcikit for .NET, Mono and Unity: receives commands and lets go in time.
// The rules are the same in every language; clients/README.md states them.
// Needs Newtonsoft.Json (in Unity the package com.unity.nuget.newtonsoft-json) and no more than C# 6.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text;
using System.Text.RegularExpressions;
using Newtonsoft.Json;
using Newtonsoft.Json.Linq;

namespace Bcikit
{
    /// <summary>A command that is in force.</summary>
    public sealed class Order
    {
        /// <summary>What to do: "close", "stimulate", "select".</summary>
        public string Name { get; internal set; }

        /// <summary>The value if it is a number, else null.</summary>
        public double? Number { get; internal set; }

        /// <summary>The value if it is a text, else null.</summary>
        public string Text { get; internal set; }

        /// <summary>Number of the message that brought it.</summary>
        public long Sequence { get; internal set; }

        /// <summary>What else belongs to it, such as "class"; empty if nothing.</summary>
        public JObject Data { get; internal set; }
    }

    /// <summary>Decides which command is in force. Times are seconds on any clock that only goes forward.</summary>
    public sealed class Receiver
    {
        /// <summary>The version of the messages that it understands.</summary>
        public const int Version = 1;

        // Share by which the estimate of the shortest way may grow, so that drifting clocks are followed.
        private const double Drift = 1e-4;
        private const double Largest = 9007199254740991; // the largest whole number that every language holds exactly
        private const int Remembered = 16;

        private static readonly Encoding Utf8 = new UTF8Encoding(false, true);

        private readonly Dictionary<string, int> _counts = new Dictionary<string, int>
        {
            { "accepted", 0 }, { "out_of_order", 0 }, { "stale", 0 }, { "malformed", 0 }, { "expired", 0 },
        };

        private readonly Queue<string> _gone = new Queue<string>();
        private Order _order;
        private string _sender;
        private long _sequence;
        private double? _way;
        private double _heard;
        private double _expires;

        /// <summary>State of bcikit's safety machine, as last heard.</summary>
        public string State { get; private set; } = "";

        /// <summary>How many messages were accepted, out_of_order, stale, malformed; how many commands expired.</summary>
        public IReadOnlyDictionary<string, int> Counts
        {
            get { return _counts; }
        }

        /// <summary>Forget the connection: call it when a new one begins or the old one is lost.</summary>
        public void Reset()
        {
            _sender = null;
            Begin(null);
            _gone.Clear();
        }

        /// <summary>Take one message that arrived at <paramref name="now"/>, as it came from the network.</summary>
        public void Feed(byte[] data, double now)
        {
            string text;
            try
            {
                text = Utf8.GetString(data);
            }
            catch (DecoderFallbackException)
            {
                _counts["malformed"]++;
                return;
            }
            Feed(text, now);
        }

        /// <summary>Take one message that arrived at <paramref name="now"/>.</summary>
        public void Feed(string text, double now)
        {
            JObject message = Message.Read(text);
            if (message == null)
            {
                _counts["malformed"]++;
                return;
            }
            string sender = (string)message["sender"];
            long sequence = (long)(double)message["seq"];
            if (_gone.Contains(sender) || (sender == _sender && sequence <= _sequence))
            {
                _counts["out_of_order"]++;
                return;
            }
            if (sender != _sender) Begin(sender);
            _sequence = sequence;
            if (Message.Is(message["state"], JTokenType.String)) State = (string)message["state"];
            string kind = (string)message["type"];
            // The answer to "clock" tells the host's clock, which need not be the one that the session runs on.
            if (kind == "clock") return;
            double way = now - (double)message["t_mono"];
            double grown = _way.HasValue ? _way.Value + Drift * (now - _heard) : way;
            _way = Math.Min(way, grown);
            _heard = now;
            if (kind == "safe") _order = null;
            if (kind == "command") Take(message, (double)message["ttl_ms"] / 1000.0 - (way - _way.Value), now);
        }

        /// <summary>Return the command in force, or null; call it every frame.</summary>
        public Order Tick(double now)
        {
            if (_order != null && now >= _expires)
            {
                _order = null;
                _counts["expired"]++;
            }
            return _order;
        }

        private void Begin(string sender)
        {
            if (_sender != null)
            {
                _gone.Enqueue(_sender);
                if (_gone.Count > Remembered) _gone.Dequeue();
            }
            _sender = sender;
            _order = null;
            _sequence = 0;
            _way = null;
            _heard = 0;
        }

        private void Take(JObject message, double left, double now)
        {
            JToken flag = message["informational"];
            bool moves = Message.Is(flag, JTokenType.Boolean) && !(bool)flag;
            if (left <= 0 || !moves)
            {
                _counts["stale"]++;
                return;
            }
            _counts["accepted"]++;
            JToken value = message["value"];
            _order = new Order
            {
                Name = (string)message["name"],
                Number = Message.IsNumber(value) ? (double?)value : null,
                Text = Message.Is(value, JTokenType.String) ? (string)value : null,
                Sequence = _sequence,
                Data = message["data"] as JObject ?? new JObject(),
            };
            _expires = now + left;
        }

        /// <summary>Reads messages: strict JSON; of two equal names the last one counts.</summary>
        private static class Message
        {
            private const string Space = @"[ \t\r\n]*";
            private const string Value = @"(?=" + Space + @"[-""\[{0-9tfn])";

            // Newtonsoft.Json also takes comments, single quotes, NaN, 0x1F, trailing commas and more. What is made of
            // these parts only, it takes as everybody else does.
            private static readonly Regex Strict = new Regex(
                @"\A(?>[ \t\r\n]+"
                + @"|""(?>[^""\\\x00-\x1f]+|\\["
                + @"""\\/bfnrt]|\\u[0-9A-Fa-f]{4})*"""
                + @"|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?(?![-+.0-9A-Za-z])"
                + @"|(?:true|false|null)(?![0-9A-Za-z])"
                + @"|\{(?=" + Space + @"[""}])"
                + @"|\[(?!" + Space + @",)"
                + @"|," + Value
                + @"|(?<=""" + Space + @"):" + Value
                + @"|[}\]])*\z",
                RegexOptions.CultureInvariant);

            /// <summary>Return a message, or null if the text is none.</summary>
            public static JObject Read(string text)
            {
                JObject message;
                try
                {
                    if (!Strict.IsMatch(text)) return null;
                    using (var reader = new JsonTextReader(new StringReader(text)))
                    {
                        reader.DateParseHandling = DateParseHandling.None;
                        reader.FloatParseHandling = FloatParseHandling.Double;
                        reader.Culture = CultureInfo.InvariantCulture;
                        reader.MaxDepth = 64;
                        message = JToken.ReadFrom(reader) as JObject;
                        // Nothing may follow.
                        if (message == null || reader.Read() || !Finite(message)) return null;
                    }
                }
                catch (JsonException)
                {
                    return null;
                }
                return IsMessage(message) && (!IsCommand(message) || IsGoodCommand(message)) ? message : null;
            }

            public static bool Is(JToken token, JTokenType type)
            {
                return token != null && token.Type == type;
            }

            public static bool IsNumber(JToken token)
            {
                return Is(token, JTokenType.Integer) || Is(token, JTokenType.Float);
            }

            private static bool IsNumber(JToken token, double low, double high)
            {
                return IsNumber(token) && (double)token >= low && (double)token <= high;
            }

            private static bool IsMessage(JObject message)
            {
                return IsNumber(message["v"], Version, Version)
                    && IsNumber(message["seq"], 1, Largest) && (double)message["seq"] % 1 == 0
                    && IsNumber(message["t_mono"]) && IsNumber(message["ttl_ms"])
                    && Is(message["type"], JTokenType.String) && Is(message["sender"], JTokenType.String);
            }

            private static bool IsCommand(JObject message)
            {
                return (string)message["type"] == "command";
            }

            private static bool IsGoodCommand(JObject message)
            {
                JToken value = message["value"];
                return Is(message["name"], JTokenType.String) && IsNumber(message["ttl_ms"], 0, 60000)
                    && (value == null || value.Type == JTokenType.Null || Is(value, JTokenType.String) || IsNumber(value));
            }

            /// <summary>Return whether every number in it can be held.</summary>
            private static bool Finite(JObject message)
            {
                foreach (JToken token in message.Descendants())
                {
                    if (IsNumber(token) && double.IsInfinity((double)token)) return false;
                }
                return true;
            }
        }
    }
}
