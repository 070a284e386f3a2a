"""Names that other libraries have removed come back under the runner, mean what they meant, and are reported."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

NUMPY = """
import math
import numpy as np
assert np.float is float and np.int is int and np.object is object and np.complex is complex and np.str is str
assert np.bool in (bool, np.bool_) and np.unicode is str and np.float_ is np.float64 and np.unicode_ is np.str_
assert np.Inf == np.Infinity == np.infty == np.PINF == math.inf and np.NINF == -math.inf and math.isnan(np.NaN)
assert np.zeros(2, np.float).dtype == np.float64 and np.array([1.9]).astype(np.int).tolist() == [1]
assert np.asscalar(np.array([3])) == 3 and type(np.asscalar(np.array([3]))) is int
assert np.product([2, 3]) == 6 and np.cumproduct([2, 3]).tolist() == [2, 6]
assert np.alltrue([1, 0]) == False and np.sometrue([1, 0]) == True
assert np.in1d([[1, 2], [3, 4]], [2, 3]).tolist() == [False, True, True, False]
assert np.in1d([1, 2], [2], invert=True).tolist() == [True, False]
assert np.trapz([1, 2, 3]) == 4 and np.row_stack([[1, 2], [3, 4]]).shape == (2, 2) and np.rank([[1]]) == 2
assert np.bool8 is np.bool_ and np.int0 is np.intp and np.math.pi == math.pi and np.round_(2.567, 1) == 2.6
assert np.mat("1 2; 3 4").shape == (2, 2) and np.cast["float32"]([1]).dtype == np.float32
assert np.msort(np.array([[3, 1], [2, 4]])).tolist() == [[2, 1], [3, 4]]
assert np.fromstring(b"\\x01\\x02", dtype=np.uint8, sep="").tolist() == [1, 2]
assert np.fromstring("1 2", sep=" ").tolist() == [1, 2]
rows = [[np.zeros((2, 2)), 1], [np.ones((2, 2)), 0]]
training = np.array(rows)
assert training.shape == (2, 2) and training.dtype == object and training[1, 0].sum() == 4
np.save("rows.npy", [[np.zeros((2, 2)), [0, 1]], [np.zeros((3, 2)), [1, 0]]])
assert np.load("rows.npy", allow_pickle=True).shape == (2, 2) and np.array([1, 2], copy=False).tolist() == [1, 2]
try:
    np.array([[1, 2], [3]], dtype=np.float32)
except ValueError:
    pass
else:
    raise AssertionError("numbers cannot be ragged")
assert hasattr(np, "float") and "float" not in vars(np)
try:
    np.nonsense
except AttributeError as error:
    assert "nonsense" in str(error)
else:
    raise AssertionError
import random, json
assert sorted(random.sample({1, 2, 3}, 3)) == sorted(random.sample({1: 0, 2: 0, 3: 0}.keys(), 3)) == [1, 2, 3]
names = list("abcd"); random.shuffle(names, lambda: 0.0)
assert names == ["b", "c", "d", "a"] and json.loads("[1]", encoding="utf-8") == [1]
import numpy.random, torch, pandas, sklearn.metrics, scipy.ndimage, matplotlib.pyplot  # libraries that ask for names
from collections import Mapping, Iterable, Callable, OrderedDict
import collections, fractions, inspect, threading, time
assert isinstance({}, Mapping) and isinstance([], collections.Sequence) and time.clock() <= time.clock()
assert inspect.getargspec(lambda a, b=1: 0).args == ["a", "b"]
assert fractions.gcd(12, 8) == 4 and threading.Thread(target=print).isAlive() is False
from IPython.core.display import display, HTML
import xml.etree.cElementTree as trees
assert trees.fromstring("<a/>").tag == "a"
"""

PICTURES = """
import numpy as np, scipy, scipy.misc
from PIL import Image, ImageDraw, ImageFont
from scipy.misc import imread, imresize, imrotate, imsave, toimage, bytescale
from scipy import ndimage
rng = np.random.RandomState(0)
pixels = rng.randint(0, 256, (20, 30, 3)).astype("uint8")
image = Image.fromarray(pixels)
assert np.array_equal(image.resize((8, 9), Image.ANTIALIAS), image.resize((8, 9), Image.Resampling.LANCZOS))
assert Image.LINEAR == Image.Resampling.BILINEAR and Image.CUBIC == Image.Resampling.BICUBIC
draw, font = ImageDraw.Draw(image), ImageFont.load_default()
left, top, right, bottom = font.getbbox("sea")
assert font.getsize("sea") == draw.textsize("sea", font=font) == (right - left, bottom)
wide, high = draw.textsize("sea\\nglacier", font)
assert wide == font.getsize("glacier")[0] and high == 2 * (font.getsize("A")[1] + 4) - 4
imsave("x.png", pixels)
assert np.array_equal(imread("x.png"), pixels) and np.array_equal(ndimage.imread("x.png", mode="RGB"), pixels)
assert imread("x.png", flatten=True).dtype == np.float32 and imread("x.png", flatten=True).shape == (20, 30)
expected = np.array(Image.fromarray(pixels).resize((12, 10), Image.BILINEAR))
assert np.array_equal(imresize(pixels, (10, 12)), expected)
assert np.array_equal(scipy.misc.imresize(pixels, (10, 12, 3)), expected)
assert imresize(pixels, 50).shape == imresize(pixels, 0.5).shape == (10, 15, 3)
assert imresize(pixels[..., 0], (5, 6), interp="nearest").shape == (5, 6)
assert np.array_equal(imrotate(pixels, 90), np.array(Image.fromarray(pixels).rotate(90, Image.BILINEAR)))
floats = rng.rand(4, 4)
stretched = bytescale(floats)
assert stretched.min() == 0 and stretched.max() == 255 and stretched.dtype == np.uint8
assert np.array_equal(np.array(toimage(floats)), stretched)
assert toimage(rng.rand(3, 4, 5)).size == (5, 4)
imsave("y.png", floats)
assert np.array_equal(imread("y.png"), stretched)
assert scipy.zeros(2).tolist() == [0, 0] and scipy.interp(0.5, [0, 1], [0, 2]) == 1
from scipy.integrate import simps, trapz, cumtrapz
assert simps([1, 2, 3]) == trapz([1, 2, 3]) == 4 and cumtrapz([1, 2, 3]).tolist() == [1.5, 4]
from scipy.signal import gaussian
from scipy.misc import comb, logsumexp
assert gaussian(3, 1)[1] == 1 and comb(4, 2) == 6
from scipy.ndimage.filters import gaussian_filter
"""

SKLEARN = """
import numpy as np
from sklearn.externals import joblib
import sklearn.externals.joblib as second
import sklearn
assert sklearn.externals.joblib.load is joblib.load and sklearn.cross_validation.train_test_split
joblib.dump([1], "x.pkl"); assert second.load("x.pkl") == [1]
from sklearn.cross_validation import KFold, StratifiedKFold, train_test_split, ShuffleSplit, cross_val_score
assert [test.tolist() for _, test in KFold(6, n_folds=3)] == [[0, 1], [2, 3], [4, 5]] and len(KFold(6, 2)) == 2
labels = np.array([0, 1, 0, 1])
assert all(sorted(labels[test]) == [0, 1] for _, test in StratifiedKFold(labels, 2, shuffle=True, random_state=1))
assert [len(test) for _, test in ShuffleSplit(10, n_iter=4, test_size=0.2)] == [2] * 4
a, b, c, d = train_test_split(np.arange(8), np.arange(8), test_size=0.25, random_state=0)
assert len(b) == 2 and np.array_equal(a, c)
from sklearn.grid_search import GridSearchCV
from sklearn.learning_curve import learning_curve
from sklearn.preprocessing import Imputer, OneHotEncoder, LabelEncoder
assert Imputer(missing_values="NaN", strategy="mean", axis=0).fit_transform([[1.0], [np.nan]]).tolist() == [[1], [1]]
encoder = OneHotEncoder(sparse=False)
assert encoder.fit_transform([[1], [2]]).tolist() == [[1, 0], [0, 1]]
assert encoder.get_feature_names().tolist() == ["x0_1", "x0_2"] and encoder.get_params()["sparse_output"] is False
from sklearn.utils import class_weight
from sklearn.utils.class_weight import compute_class_weight
assert class_weight.compute_class_weight("balanced", np.unique([0, 1, 1]), [0, 1, 1]).tolist() == [1.5, 0.75]
assert compute_class_weight(class_weight="balanced", classes=np.unique([0, 1, 1]), y=[0, 1, 1]).tolist() == [1.5, 0.75]
from sklearn.metrics import confusion_matrix, classification_report, plot_confusion_matrix, plot_roc_curve
assert confusion_matrix([0, 1], [0, 1], [1, 0]).tolist() == [[1, 0], [0, 1]]
assert "forest" in classification_report([0, 1], [0, 1], [0, 1], ["sea", "forest"])
from sklearn.linear_model import LogisticRegression
model = LogisticRegression(multi_class="multinomial").fit([[0], [1]], [0, 1])
import matplotlib; matplotlib.use("Agg")
assert plot_confusion_matrix(model, [[0], [1]], [0, 1]).confusion_matrix.tolist() == [[1, 0], [0, 1]]
from sklearn.model_selection import StratifiedKFold as Now
assert Now(2, True, 1).shuffle and Now(2, True, 1).random_state == 1
from sklearn.metrics.classification import accuracy_score
from sklearn.preprocessing.label import LabelBinarizer
from sklearn.datasets.samples_generator import make_blobs
from sklearn.ensemble.forest import RandomForestClassifier
from sklearn.utils.testing import assert_array_equal
from sklearn.manifold import TSNE
assert TSNE(n_iter=300).get_params()["max_iter"] == 300
try:
    from sklearn.datasets import load_boston
except ImportError as error:
    print("no boston")
from sklearn.datasets import fetch_mldata
try:
    fetch_mldata("MNIST original")
except NotImplementedError as error:
    assert "keras.datasets.mnist" in str(error)
"""

PANDAS = """
import numpy as np, pandas as pd
df = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
assert df.append({"a": 5, "b": 6}, ignore_index=True)["a"].tolist() == [1, 2, 5]
assert df.append(df).index.tolist() == [0, 1, 0, 1] and df.append([df, df], ignore_index=True).shape == (6, 2)
row = pd.Series({"a": 7, "b": 8}, name="x")
assert df.append(row).index.tolist() == [0, 1, "x"] and df.append(row)["b"].tolist() == [3, 4, 8]
total = pd.DataFrame(columns=["id", "label"])
for number in range(3):
    total = total.append({"id": number, "label": "sea"}, ignore_index=True)
assert total["id"].tolist() == [0, 1, 2] and total.shape == (3, 2)
assert df["a"].append(df["b"]).tolist() == [1, 2, 3, 4]
assert df["a"].append(df["b"], ignore_index=True).index.tolist() == [0, 1, 2, 3]
try:
    df.append({"a": 1})
except TypeError as error:
    assert "ignore_index" in str(error)
names = df.set_index(pd.Index(["x", "y"]))
assert df.ix[0, "a"] == 1 and names.ix["y", "b"] == 4 and names.ix[1, "b"] == 4 and names.ix[0, 1] == 3
assert names.ix[0]["a"] == 1 and df.ix[:, "a"].tolist() == [1, 2] and names.ix[0:1, "a"].tolist() == [1]
assert df.ix[0:1, "a"].tolist() == [1, 2] and df.ix[df["a"] > 1, "b"].tolist() == [4]
assert df.ix[[1], ["b"]].shape == (1, 1)
names.ix["x", "a"] = 9
assert names["a"].tolist() == [9, 2]
assert df.as_matrix().tolist() == [[1, 3], [2, 4]] and df["a"].as_matrix().tolist() == [1, 2]
assert [name for name, _ in df.iteritems()] == ["a", "b"] and df.get_value(1, "b") == 4
assert list(df.drop("a", 1).columns) == ["b"] and df.sum(1).tolist() == [4, 6] and df.mean(1).tolist() == [2, 3]
assert df.applymap(lambda value: -value)["a"].tolist() == [-1, -2] and df["a"].is_monotonic_increasing
assert df["a"].get_values().tolist() == [1, 2] and pd.Index([1, 2]).is_monotonic and pd.np is np
assert pd.datetime(2020, 1, 2).year == 2020 and pd.DataFrame({"append": [3]}).append.tolist() == [3]
open("bad.csv", "w").write("a,b\\n1,2\\n1,2,3\\n4,5\\n")
assert pd.read_csv("bad.csv", error_bad_lines=False)["a"].tolist() == [1, 4]
quiet = pd.read_csv("bad.csv", error_bad_lines=False, warn_bad_lines=False)
assert quiet["a"].tolist() == [1, 4]
df.to_csv("good.csv", line_terminator="\\n", index=False)
assert pd.read_csv("good.csv", ",").equals(df)
assert pd.read_csv("good.csv", usecols=["a"], squeeze=True).tolist() == [1, 2]
assert pd.DataFrame({"a": [1, None]}).fillna(method="ffill")["a"].tolist() == [1, 1]
assert pd.Series([None, 2.0]).fillna(method="bfill").tolist() == [2, 2]
assert pd.Series([None, 2.0]).fillna(0).tolist() == [0, 2]
assert pd.io.json.json_normalize([{"a": {"b": 1}}]).columns.tolist() == ["a.b"]
assert pd.DataFrame.from_csv("good.csv", index_col=None).equals(df)
from pandas.tools.plotting import scatter_matrix
from pandas.util.testing import assert_frame_equal
assert not hasattr(df, "nonsense") and pd.concat([df, df], 1).shape == (2, 4)
"""

MATPLOTLIB = """
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt, matplotlib.cm as cm, numpy as np
plt.style.use("seaborn")
plt.style.use(["seaborn-white", "seaborn-paper"])
with plt.style.context("seaborn-darkgrid"):
    pass
figure, axes = plt.subplots()
heights, _, _ = plt.hist([1, 2, 3, 4], bins=2, normed=True)
assert abs(heights.sum() * 1.5 - 1) < 1e-9
heights, _, _ = axes.hist([1, 2, 3, 4], bins=2, normed=0)
assert heights.sum() == 4
plt.hold(True); axes.hold(False); plt.grid(b=True); axes.grid(b=False)
axes.set_axis_bgcolor("black"); assert axes.get_facecolor()[:3] == (0, 0, 0)
plt.tick_params(axis="both", labelbottom="off", bottom="on")
assert not axes.xaxis.get_tick_params()["labelbottom"]
assert plt.cm.get_cmap("jet", 5).N == 5 and cm.get_cmap("jet").name == "jet" and cm.spectral.name == "nipy_spectral"
assert plt.figure().gca(projection="3d").name == "3d"
figure = plt.figure(figsize=(2, 1), dpi=50)
figure.canvas.set_window_title("x"); figure.canvas.draw()
data = np.fromstring(figure.canvas.tostring_rgb(), dtype=np.uint8, sep="")
data = data.reshape(figure.canvas.get_width_height()[::-1] + (3,))
assert data.shape == (50, 100, 3)
from matplotlib.mlab import normpdf
assert abs(normpdf(0, 0, 1) - 0.3989423) < 1e-6
plt.style.use("ggplot")
"""


@pytest.mark.parametrize(("program", "said", "reported"), [
    (NUMPY, "", ["np.float (now float)", "np.array(rows of unequal shape) (now np.array(rows, dtype=object))",
                 "np.asscalar (now a.item())",
                 "collections.Mapping (now collections.abc.Mapping)", "time.clock (now time.perf_counter)",
                 "np.in1d (now np.isin)"]),
    (PICTURES, "", ["PIL.Image.ANTIALIAS (now Image.LANCZOS)", "scipy.misc.imread (now imageio.imread)",
                    "ImageDraw.textsize (now draw.textbbox((0, 0), text))", "scipy.zeros (now np.zeros)"]),
    (SKLEARN, "no boston\n", ["sklearn.externals.joblib (now joblib)", "OneHotEncoder(sparse=) (now sparse_output=)",
                              "sklearn.cross_validation (now sklearn.model_selection)"]),
    (PANDAS, "", ["DataFrame.append (now pd.concat([df, other]))", "DataFrame.ix (now df.loc or df.iloc)",
                  "pd.read_csv(error_bad_lines=) (now on_bad_lines='warn')", "DataFrame.drop(…, 1) (now axis=)"]),
    (MATPLOTLIB, "", ["plt.hist(normed=) (now density=)", "plt.style.use('seaborn') (now 'seaborn-v0_8')",
                      "gca(projection=) (now fig.add_subplot(projection=))"]),
], ids=["numpy", "pictures", "sklearn", "pandas", "matplotlib"])  # fmt: skip
def test_removed_names_mean_what_they_meant(run, tmp_path: Path, program: str, said: str, reported: list[str]) -> None:
    script = tmp_path / "old.py"
    script.write_text(program)
    done = run(script)
    assert done.returncode == 0 and done.stdout == said, done.stderr
    report = re.sub(r"\s+", " ", done.stderr.partition("scene_lightning ran")[2])
    given = report.partition("Names that their libraries have removed, given back for this run: ")[2]
    assert [line for line in reported if line not in given] == []


NORMAL = """
import collections, sys, numpy as np, pandas as pd, matplotlib.pyplot as plt
from PIL import Image
def lacks_all():
    return not any((hasattr(np, "float"), hasattr(Image, "ANTIALIAS"), hasattr(collections, "Mapping"),
                    hasattr(pd.DataFrame(), "append"), hasattr(plt, "hold")))
import scene_lightning as keras
assert lacks_all()
before = pd.DataFrame.sum, np.fromstring, list(sys.meta_path)
keras.install()
assert lacks_all()
from scene_lightning.compat.install import uninstall
uninstall()
keras.install(removed_names=True)
assert np.float is float and Image.ANTIALIAS == Image.LANCZOS and len(pd.DataFrame().append(pd.DataFrame())) == 0
uninstall()
assert lacks_all() and (pd.DataFrame.sum, np.fromstring, list(sys.meta_path)) == before
try:
    import sklearn.cross_validation
except ModuleNotFoundError:
    print("gone")
"""


@pytest.mark.soak
def test_nothing_of_this_outside_the_runner() -> None:
    done = subprocess.run([sys.executable, "-c", NORMAL], cwd=ROOT, text=True, capture_output=True, timeout=240)
    assert done.returncode == 0 and done.stdout == "gone\n", done.stderr


GUARDED = """
import numpy as np
try:
    from sklearn.cross_validation import KFold
except ImportError:
    from sklearn.model_selection import KFold
assert len(list(KFold(3).split(np.zeros((6, 1))))) == 3
try:
    from collections import Mapping
except ImportError:
    from collections.abc import Mapping
assert isinstance({}, Mapping)
if not hasattr(np, "float"):
    np.float = float
np.bool = bool
assert np.float is float and np.bool is bool
class Library:  # asks whether NumPy has an old name, and uses it
    kind = np.int if hasattr(np, "int") else int
assert Library.kind is int
"""


def test_programs_that_know_both_spellings_keep_working(run, tmp_path: Path) -> None:
    script = tmp_path / "guarded.py"
    script.write_text(GUARDED)
    done = run(script)
    assert done.returncode == 0, done.stderr


SEABORN = """
import pandas

class FacetGrid:
    def __init__(self, data, *, row=None, col=None, height=3):
        self.height = height

def barplot(data=None, *, x=None, y=None, hue=None, color=None):
    return data, x, y, color

def countplot(data=None, *, x=None, y=None, hue=None):
    return data, x, y, hue

def catplot(data=None, *, x=None, y=None, hue=None, kind="strip", height=5):
    return data, x, kind, height

def histplot(data=None, *, x=None, stat="count", bins="auto", kde=False):
    return x, stat, bins, kde
"""
SEABORN_PROGRAM = """
import pandas as pd, seaborn as sns
table = pd.DataFrame({"label": ["sea", "forest"], "n": [1, 2]})
assert sns.barplot([1, 2], [3, 4], color="red") == (None, [1, 2], [3, 4], "red")
assert sns.barplot("label", "n", data=table)[1:3] == ("label", "n") and sns.barplot(x="n", y="n", data=table)[1] == "n"
assert sns.countplot(table["label"])[1] is not None and sns.countplot(table)[0] is table
assert sns.factorplot("label", data=table, kind="count", size=4)[1:] == ("label", "count", 4)
assert sns.distplot([1, 2], kde=False, bins=3) == ([1, 2], "count", 3, False)
assert sns.FacetGrid(table, col="label", size=7).height == 7
"""


def test_seaborn_takes_x_and_y_in_their_order_again(run, tmp_path: Path) -> None:
    """Against functions with the signatures of seaborn 0.13, which is not among the packages of the tests."""
    (tmp_path / "seaborn.py").write_text(SEABORN)
    script = tmp_path / "old.py"
    script.write_text(SEABORN_PROGRAM)
    done = run(script)
    assert done.returncode == 0, done.stderr
    report = re.sub(r"\s+", " ", done.stderr)
    assert "sns.barplot(x, y) (now x=, y=)" in report and "seaborn.distplot (now sns.histplot or sns.kdeplot)" in report
