// A line to bcikit's WebSocket from a thread of its own: the scene's loop only looks into a queue. Connects again by itself.
using System;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.IO;
using System.Net.WebSockets;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using Newtonsoft.Json;
using Newtonsoft.Json.Linq;

namespace Bcikit
{
    /// <summary>Hears a session and answers it; compares the clocks.</summary>
    public sealed class Line : IDisposable
    {
        private const int Longest = 65536;
        private const double AskEvery = 2.0; // seconds between two comparisons of the clocks

        /// <summary>Seconds without a sign of life (there is one a second) after which a connection is lost: a network
        /// that went away closes nothing.</summary>
        public const double Silence = 3.0;

        private readonly ConcurrentQueue<JObject> _heard = new ConcurrentQueue<JObject>();
        private readonly BlockingCollection<string> _said = new BlockingCollection<string>(1000);
        private readonly CancellationTokenSource _end = new CancellationTokenSource();
        private readonly Stopwatch _watch = Stopwatch.StartNew();
        private readonly object _lock = new object();
        private readonly Uri _address;
        private double? _offset;
        private double _way = double.PositiveInfinity;

        /// <summary>Connect to ws://HOST:PORT/ws?token=...</summary>
        public Line(string address)
        {
            _address = new Uri(address);
            new Thread(Talk) { IsBackground = true, Name = "bcikit line" }.Start();
        }

        /// <summary>Seconds of this program, the clock of every time that is not the host's.</summary>
        public double Now
        {
            get { return _watch.Elapsed.TotalSeconds; }
        }

        /// <summary>The host's clock less <see cref="Now"/>, null until they were compared.</summary>
        public double? Offset
        {
            get
            {
                lock (_lock) return _offset;
            }
        }

        /// <summary>Whether the session is there.</summary>
        public bool Linked { get; private set; }

        /// <summary>Return the next message, null if there is none.</summary>
        public JObject Next()
        {
            JObject message;
            return _heard.TryDequeue(out message) ? message : null;
        }

        /// <summary>Tell the session something; what cannot be told any more is dropped.</summary>
        public void Say(JObject message)
        {
            _said.TryAdd(message.ToString(Formatting.None));
        }

        /// <summary>Hang up.</summary>
        public void Dispose()
        {
            _end.Cancel();
        }

        private void Talk()
        {
            while (!_end.IsCancellationRequested)
            {
                try
                {
                    TalkOnce();
                }
                catch (Exception error)
                {
                    if (!(error is AggregateException || error is WebSocketException || error is IOException
                        || error is OperationCanceledException || error is InvalidOperationException)) throw;
                }
                Linked = false;
                _heard.Enqueue(new JObject { { "type", "lost" } });
                _end.Token.WaitHandle.WaitOne(500);
            }
        }

        private void TalkOnce()
        {
            using (var socket = new ClientWebSocket())
            {
                socket.ConnectAsync(_address, _end.Token).Wait();
                Linked = true;
                _heard.Enqueue(new JObject { { "type", "linked" } });
                // It may be another host, or one that was started anew: its clock is not known yet.
                lock (_lock)
                {
                    _way = double.PositiveInfinity;
                    _offset = null;
                }
                var message = new MemoryStream();
                var buffer = new ArraySegment<byte>(new byte[Longest]);
                Task<WebSocketReceiveResult> next = socket.ReceiveAsync(buffer, _end.Token);
                double asked = double.NegativeInfinity;
                double heard = Now;
                while (socket.State == WebSocketState.Open && Now - heard <= Silence)
                {
                    if (Now - asked > AskEvery)
                    {
                        asked = Now;
                        Send(socket, new JObject { { "type", "clock" }, { "t", Now } }.ToString(Formatting.None));
                    }
                    string text;
                    while (_said.TryTake(out text)) Send(socket, text);
                    if (!next.Wait(2)) continue;
                    heard = Now;
                    if (next.Result.MessageType == WebSocketMessageType.Close) return;
                    message.Write(buffer.Array, 0, next.Result.Count);
                    if (next.Result.EndOfMessage)
                    {
                        Hear(Encoding.UTF8.GetString(message.ToArray()));
                        message.SetLength(0);
                    }
                    next = socket.ReceiveAsync(buffer, _end.Token);
                }
            }
        }

        private void Send(ClientWebSocket socket, string text)
        {
            var bytes = new ArraySegment<byte>(Encoding.UTF8.GetBytes(text));
            socket.SendAsync(bytes, WebSocketMessageType.Text, true, _end.Token).Wait();
        }

        private void Hear(string text)
        {
            JObject message;
            try
            {
                using (var reader = new JsonTextReader(new StringReader(text)))
                {
                    reader.DateParseHandling = DateParseHandling.None;
                    message = JToken.ReadFrom(reader) as JObject;
                }
            }
            catch (JsonException)
            {
                return;
            }
            if (message == null) return;
            if ((string)message["type"] == "clock") Compare(message);
            else _heard.Enqueue(message);
        }

        private void Compare(JObject answer)
        {
            double now = Now;
            double sent = (double)answer["data"]["t_client"];
            lock (_lock)
            {
                // The quickest way there and back tells most; it may grow a little, so that drift is followed.
                if (now - sent > _way)
                {
                    _way *= 1.01;
                    return;
                }
                _way = now - sent;
                _offset = (double)answer["t_mono"] - (sent + now) / 2;
            }
        }
    }
}
