#include "adapters/demo/names.hpp"

#include <array>

namespace towpath::demo {
namespace {

using V = std::string_view;

constexpr V kBritishGirls[] = {"Alice",   "Amelia", "Beatrice", "Charlotte", "Chloe", "Daisy",    "Edith",
                               "Eleanor", "Ella",   "Emily",    "Erin",      "Evie",  "Florence", "Freya",
                               "Grace",   "Hannah", "Harriet",  "Isla",      "Ivy",   "Jessica",  "Lily",
                               "Martha",  "Megan",  "Molly",    "Niamh",     "Olive", "Phoebe",   "Poppy",
                               "Rosie",   "Sophie", "Tilly",    "Zoë"};
constexpr V kBritishBoys[] = {"Albert", "Alfie",  "Archie",  "Arthur", "Benjamin", "Callum",  "Charlie",
                              "Connor", "Daniel", "Edward",  "Ethan",  "Finley",   "Frank",   "Freddie",
                              "George", "Harry",  "Henry",   "Jack",   "Jacob",    "James",   "Joseph",
                              "Leo",    "Louis",  "Max",     "Oliver", "Oscar",    "Patrick", "Ralph",
                              "Rory",   "Samuel", "Stanley", "Thomas"};
constexpr V kBritishSurnames[] = {
    "Aldridge",  "Barker",   "Bennett",    "Brennan",  "Byrne",  "Carter",  "Chadwick", "Clarke",
    "Collins",   "Cooper",   "Davies",     "Dawson",   "Doyle",  "Ellis",   "Fletcher", "Foster",
    "Gallagher", "Green",    "Hargreaves", "Harris",   "Hughes", "Jenkins", "Kelly",    "Lawson",
    "Marsh",     "Mitchell", "Murphy",     "Naylor",   "Nolan",  "Owen",    "Palmer",   "Pearce",
    "Price",     "Quinn",    "Reid",       "Roberts",  "Shaw",   "Simmons", "Slater",   "Taylor",
    "Turner",    "Walsh",    "Webb",       "Whitaker", "Wilson", "Yates"};

constexpr V kEuropeanGirls[] = {"Adriana", "Ana",       "Bianca",    "Carla",    "Clara",  "Daria",
                                "Elena",   "Elira",     "Francesca", "Gabriela", "Giulia", "Ilinca",
                                "Inês",    "Julia",     "Katarina",  "Lena",     "Léa",    "Lucía",
                                "Maria",   "Marta",     "Nina",      "Oksana",   "Paula",  "Sofia",
                                "Teodora", "Valentina", "Zofia",     "Zuzanna"};
constexpr V kEuropeanBoys[] = {"Adam",   "Aleksander", "Andrei", "Antoni", "Bruno",   "Dario",  "Diego",
                               "Dmytro", "Emil",       "Enzo",   "Filip",  "Gabriel", "Hugo",   "Ivan",
                               "Jakub",  "Luca",       "Luka",   "Marek",  "Mateo",   "Matteo", "Mihai",
                               "Miguel", "Nikola",     "Oskar",  "Rafael", "Stefan",  "Théo",   "Viktor"};
constexpr V kEuropeanSurnames[] = {"Almeida",   "Bajrami",   "Bianchi", "Carvalho", "Costa",     "Dumitru",
                                   "Fernandes", "Ferrari",   "García",  "Gashi",    "Georgiou",  "Hoxha",
                                   "Ionescu",   "Jankowski", "Kaya",    "Kovács",   "Kowalczyk", "Krasniqi",
                                   "Lefebvre",  "Lombardi",  "Marin",   "Moreau",   "Moreno",    "Nowak",
                                   "Papadakis", "Pereira",   "Petrov",  "Popescu",  "Rossi",     "Silva",
                                   "Shehu",     "Szabó",     "Vieira",  "Wójcik",   "Yılmaz",    "Zielińska"};

constexpr V kBengaliGirls[] = {"Afsana",  "Anika",   "Ayesha", "Fahmida", "Farhana", "Habiba",
                               "Jannat",  "Lamia",   "Mahira", "Maisha",  "Nabila",  "Nadia",
                               "Nafisa",  "Raisa",   "Rumana", "Sabrina", "Sadia",   "Samira",
                               "Sumaiya", "Tahmina", "Tania",  "Tasnim",  "Zara"};
constexpr V kBengaliBoys[] = {"Abdul",  "Adnan", "Arif",   "Ashraf", "Fahim",  "Farhan", "Imran",  "Jubair",
                              "Kamran", "Mahdi", "Mahir",  "Nabil",  "Naveed", "Rafi",   "Raihan", "Rakib",
                              "Sabbir", "Samir", "Shahid", "Tahmid", "Tanvir", "Wasim",  "Zakir"};
constexpr V kBengaliSurnames[] = {"Ahmed",   "Akhtar",    "Alam",      "Ali",     "Aziz",     "Begum",
                                  "Bhuiyan", "Chowdhury", "Choudhury", "Haque",   "Hossain",  "Hussain",
                                  "Islam",   "Kabir",     "Khan",      "Khatun",  "Mia",      "Miah",
                                  "Rahman",  "Rashid",    "Sarkar",    "Sultana", "Talukder", "Uddin"};

constexpr V kSouthAsianGirls[] = {"Aanya", "Aisha",   "Anjali", "Diya",  "Fatima", "Hira",  "Isha",
                                  "Kavya", "Mahnoor", "Maryam", "Meera", "Nisha",  "Pooja", "Priya",
                                  "Riya",  "Sana",    "Simran", "Tanvi", "Zainab"};
constexpr V kSouthAsianBoys[] = {"Aarav",  "Ahsan",  "Arjun",  "Bilal", "Dev",    "Faisal", "Hamza",
                                 "Hassan", "Ishaan", "Kabir",  "Karan", "Nikhil", "Omar",   "Rohan",
                                 "Sahil",  "Usman",  "Vihaan", "Yash",  "Zain"};
constexpr V kSouthAsianSurnames[] = {
    "Akram", "Bhatt", "Butt", "Dhillon", "Gill",    "Gupta", "Iqbal", "Joshi",  "Kapoor", "Kaur",  "Malik",
    "Mehta", "Mirza", "Nair", "Patel",   "Qureshi", "Rao",   "Shah",  "Sharma", "Sheikh", "Singh", "Thapa"};

constexpr V kSomaliGirls[] = {"Amal",  "Ayaan", "Deeqa", "Fadumo", "Hafsa",  "Hamdi", "Hibaq",
                              "Hodan", "Idil",  "Ifrah", "Ikran",  "Khadra", "Ladan", "Muna",
                              "Naima", "Sagal", "Sahra", "Sumaya", "Ubah",   "Yasmin"};
constexpr V kSomaliBoys[] = {"Abdi",     "Abdirahman", "Abshir", "Ahmednur", "Bashir",  "Guled",   "Hanad",
                             "Ismail",   "Jama",       "Liban",  "Mahad",    "Mohamud", "Mustafe", "Nuh",
                             "Sakariye", "Suleiman",   "Yahye",  "Yonis",    "Yusuf",   "Zakariya"};
constexpr V kSomaliSurnames[] = {"Abdi",  "Abdullahi", "Aden",   "Ahmed",   "Barre",  "Dahir",
                                 "Duale", "Egal",      "Farah",  "Guleed",  "Hassan", "Hersi",
                                 "Hirsi", "Ibrahim",   "Jama",   "Mohamed", "Nur",    "Omar",
                                 "Osman", "Samatar",   "Sheikh", "Warsame", "Yusuf"};

constexpr V kAfricanGirls[] = {"Abena",     "Adaeze", "Adwoa",   "Akosua", "Amara",  "Blessing",
                               "Chioma",    "Efua",   "Esther",  "Faith",  "Favour", "Gloria",
                               "Ifeoma",    "Joy",    "Mariama", "Mercy",  "Nana",   "Ngozi",
                               "Oluwaseyi", "Peace",  "Selam",   "Temi",   "Zuri"};
constexpr V kAfricanBoys[] = {"Ayo",      "Bright", "Chidi",    "Chinedu", "Daniel", "David",
                              "Ebenezer", "Emeka",  "Emmanuel", "Femi",    "Isaac",  "Joel",
                              "Kofi",     "Kojo",   "Kwame",    "Michael", "Musa",   "Samuel",
                              "Segun",    "Tobi",   "Tunde",    "Yaw",     "Yonas"};
constexpr V kAfricanSurnames[] = {
    "Abebe",  "Acheampong", "Adebayo", "Adeyemi", "Afolabi", "Agyeman", "Amoah",  "Asante", "Boateng",
    "Chukwu", "Danso",      "Eze",     "Kamara",  "Koroma",  "Mensah",  "Mwangi", "Nwosu",  "Obi",
    "Ofori",  "Ogunleye",   "Okafor",  "Okeke",   "Okonkwo", "Osei",    "Owusu",  "Sesay",  "Tesfaye"};

constexpr V kCaribbeanGirls[] = {"Alesha",  "Amari",  "Brianna", "Ebony",   "Imani", "Jada",
                                 "Jasmine", "Kayla",  "Keisha",  "Kiara",   "Leah",  "Monique",
                                 "Naomi",   "Nevaeh", "Rhianna", "Shanice", "Tiana", "Zaria"};
constexpr V kCaribbeanBoys[] = {"Andre",  "Caleb",   "Curtis", "Darnell",   "Dwayne", "Elijah",
                                "Ezra",   "Isaiah",  "Jaden",  "Jerome",    "Josiah", "Kai",
                                "Khalil", "Malachi", "Marcus", "Nathaniel", "Reuben", "Tyrese"};
constexpr V kCaribbeanSurnames[] = {"Alleyne", "Bailey", "Barrett",  "Blake",    "Brathwaite", "Campbell",
                                    "Clarke",  "Dixon",  "Francis",  "Gayle",    "Gordon",     "Grant",
                                    "Henry",   "Joseph", "Lewis",    "McKenzie", "Morgan",     "Noel",
                                    "Pinnock", "Powell", "Richards", "Samuels",  "Thompson",   "Williams"};

constexpr V kArabicGirls[] = {"Aya",   "Dalia", "Dana",  "Dilan",  "Farah",  "Hala",  "Huda",   "Jana",
                              "Layla", "Leen",  "Lina",  "Malak",  "Mariam", "Nour",  "Parisa", "Rania",
                              "Rima",  "Rojin", "Salma", "Shirin", "Yara",   "Zeynep"};
constexpr V kArabicBoys[] = {"Ali",    "Amir",    "Anas",  "Aram",   "Baran", "Elias",   "Emre",  "Fares",
                             "Hadi",   "Ibrahim", "Karim", "Khalid", "Kian",  "Mahmoud", "Mehdi", "Mustafa",
                             "Nasser", "Rayan",   "Reza",  "Saif",   "Tariq", "Youssef"};
constexpr V kArabicSurnames[] = {
    "Abbas",  "Al-Hassan", "Amin",    "Aydın",    "Aziz",   "Bakr",   "Benali", "Cherif",   "Darwish",
    "Demir",  "El-Sayed",  "Fadel",   "Ghorbani", "Habib",  "Haddad", "Hamdan", "Hosseini", "Kareem",
    "Khoury", "Mansour",   "Mostafa", "Nasser",   "Rahimi", "Saleh",  "Şahin",  "Tehrani",  "Zaki"};

constexpr V kEastAsianGirls[] = {"Angela", "Bao",  "Fang", "Grace", "Hana", "Jia",  "Joy",
                                 "Lan",    "Lin",  "Mei",  "Mika",  "Min",  "Ngoc", "Rina",
                                 "Sakura", "Thuy", "Xin",  "Yan",   "Yuna"};
constexpr V kEastAsianBoys[] = {"Anh",  "Chen",  "Daiki", "Duc",  "Hao",  "Haruto", "Jin",
                                "Jun",  "Kevin", "Khanh", "Long", "Minh", "Ming",   "Ren",
                                "Ryan", "Tao",   "Wei",   "Yang", "Yi"};
constexpr V kEastAsianSurnames[] = {"Bui",  "Chan",   "Chen", "Cheung", "Dang",   "Hoang", "Huang", "Kim",
                                    "Lam",  "Le",     "Lee",  "Leung",  "Li",     "Lim",   "Lin",   "Liu",
                                    "Mori", "Nguyen", "Park", "Pham",   "Santos", "Sato",  "Tan",   "Tang",
                                    "Tran", "Wang",   "Wong", "Wu",     "Yip",    "Zhang"};

constexpr std::array<NameLists, 9> kLists = {{
    {kBritishGirls, kBritishBoys, kBritishSurnames},
    {kEuropeanGirls, kEuropeanBoys, kEuropeanSurnames},
    {kBengaliGirls, kBengaliBoys, kBengaliSurnames},
    {kSouthAsianGirls, kSouthAsianBoys, kSouthAsianSurnames},
    {kSomaliGirls, kSomaliBoys, kSomaliSurnames},
    {kAfricanGirls, kAfricanBoys, kAfricanSurnames},
    {kCaribbeanGirls, kCaribbeanBoys, kCaribbeanSurnames},
    {kArabicGirls, kArabicBoys, kArabicSurnames},
    {kEastAsianGirls, kEastAsianBoys, kEastAsianSurnames},
}};

}  // namespace

const NameLists& names_of(Heritage heritage) { return kLists.at(static_cast<std::size_t>(heritage)); }

}  // namespace towpath::demo
