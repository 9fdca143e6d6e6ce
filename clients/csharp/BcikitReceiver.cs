// Reference client of bcikit for .NET and Unity: receives commands and lets go in time.
// The rules are the same in every language; clients/README.md states them.
// Needs System.Text.Json (.NET 6 and later; in Unity add it by NuGet, or replace Parse by your own JSON reader).
using System;
using System.Collections.Generic;
using System.Text.Json;

namespace Bcikit
{
    /// <summary>A command that is in force.</summary>
    public sealed class Order
    {
        public string Name = "";
        public double? Number;
        public string? Text;
        public long Sequence;
        public JsonElement Data;
    }

    /// <summary>Decides which command is in force. Times are seconds on any clock that only goes forward.</summary>
    public sealed class Receiver
    {
        public const int Version = 1;

        // Share by which the estimate of the shortest way may grow, so that drifting clocks are followed.
        private const double Drift = 1e-4;

        public readonly Dictionary<string, int> Counts = new Dictionary<string, int>
        {
            ["accepted"] = 0, ["out_of_order"] = 0, ["stale"] = 0, ["malformed"] = 0, ["expired"] = 0,
        };

        public string State { get; private set; } = "";

        private Order? _order;
        private long _sequence;
        private double? _way;
        private double _heard;
        private double _expires;

        /// <summary>Forget the connection: call it when a new one begins or the old one is lost.</summary>
        public void Reset()
        {
            _order = null;
            _sequence = 0;
            _way = null;
            _heard = 0;
        }

        /// <summary>Take one message that arrived at <paramref name="now"/>.</summary>
        public void Feed(string text, double now)
        {
            if (!Parse(text, out JsonElement message))
            {
                Counts["malformed"]++;
                return;
            }
            long sequence = (long)message.GetProperty("seq").GetDouble();
            if (sequence <= _sequence)
            {
                Counts["out_of_order"]++;
                return;
            }
            _sequence = sequence;
            double way = now - message.GetProperty("t_mono").GetDouble();
            double grown = _way.HasValue ? _way.Value + Drift * (now - _heard) : way;
            _way = Math.Min(way, grown);
            _heard = now;
            if (message.TryGetProperty("state", out JsonElement state) && state.ValueKind == JsonValueKind.String)
            {
                State = state.GetString() ?? "";
            }
            string kind = message.GetProperty("type").GetString() ?? "";
            if (kind == "safe")
            {
                _order = null;
            }
            else if (kind == "command")
            {
                Take(message, message.GetProperty("ttl_ms").GetDouble() / 1000.0 - (way - _way.Value), now);
            }
        }

        /// <summary>Return the command in force, or null; call it every frame.</summary>
        public Order? Tick(double now)
        {
            if (_order != null && now >= _expires)
            {
                _order = null;
                Counts["expired"]++;
            }
            return _order;
        }

        private void Take(JsonElement message, double left, double now)
        {
            bool moves = message.TryGetProperty("informational", out JsonElement flag)
                && flag.ValueKind == JsonValueKind.False;
            if (left <= 0 || !moves)
            {
                Counts["stale"]++;
                return;
            }
            Counts["accepted"]++;
            var order = new Order { Sequence = _sequence };
            if (message.TryGetProperty("name", out JsonElement name)) order.Name = name.GetString() ?? "";
            if (message.TryGetProperty("value", out JsonElement value))
            {
                if (value.ValueKind == JsonValueKind.Number) order.Number = value.GetDouble();
                if (value.ValueKind == JsonValueKind.String) order.Text = value.GetString();
            }
            if (message.TryGetProperty("data", out JsonElement data)) order.Data = data;
            _order = order;
            _expires = now + left;
        }

        private static bool Parse(string text, out JsonElement message)
        {
            message = default;
            try
            {
                using JsonDocument document = JsonDocument.Parse(text);
                message = document.RootElement.Clone();
            }
            catch (JsonException)
            {
                return false;
            }
            return message.ValueKind == JsonValueKind.Object
                && IsNumber(message, "v") && message.GetProperty("v").GetDouble() == Version
                && IsNumber(message, "seq") && IsNumber(message, "t_mono") && IsNumber(message, "ttl_ms")
                && message.TryGetProperty("type", out JsonElement kind) && kind.ValueKind == JsonValueKind.String;
        }

        private static bool IsNumber(JsonElement message, string key)
        {
            return message.TryGetProperty(key, out JsonElement value) && value.ValueKind == JsonValueKind.Number;
        }
    }
}
